#compdef etcdive
# zsh completion for etcdive. In ~/.zshrc, after compinit: source <(etcdive completions zsh)
# Or save it as _etcdive in a folder of $fpath.

_etcdive() {
    local program=${words[1]/#\~/$HOME} current=$words[CURRENT] line kind word
    local -a lines ended open
    lines=("${(@f)$("$program" __complete --current="$current" -- "${(@)words[2,CURRENT-1]}" 2>/dev/null)}")
    kind=$lines[1]
    for line in "${(@)lines[2,-1]}"; do
        [[ -n $line ]] || continue
        word=${line%%$'\t'*}
        line=${word//:/\\:}:${line#*$'\t'}
        # More follows a slash or an equals sign.
        case $word in
            */ | *=) open+=("$line") ;;
            *) ended+=("$line") ;;
        esac
    done
    local found=1
    (( $#ended )) && _describe -t values etcdive ended && found=0
    (( $#open )) && _describe -t values etcdive open -S '' && found=0
    [[ $kind == files ]] && _files && found=0
    return found
}

if [ "$funcstack[1]" = _etcdive ]; then
    _etcdive "$@"
else
    compdef _etcdive etcdive
fi
