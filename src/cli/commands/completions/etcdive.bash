# bash completion for etcdive. In ~/.bashrc: source <(etcdive completions bash)

_etcdive() {
    # Whole words up to the cursor: bash would split them at : = and @.
    local line=${COMP_LINE:0:COMP_POINT} current='' cut='' char reply kind candidate IFS=$' \t\n'
    local -a words
    read -r -a words <<< "$line"
    case $line in
        *[[:space:]]) ;;
        *) current=${words[${#words[@]}-1]}; unset "words[${#words[@]}-1]" ;;
    esac
    # bash replaces only what follows the last of these characters.
    for char in : = @; do
        case $COMP_WORDBREAKS in
            *"$char"*)
                case $current in
                    *"$char"*)
                        candidate=${current%"${current##*"$char"}"}
                        [ ${#candidate} -gt ${#cut} ] && cut=$candidate
                        ;;
                esac
                ;;
        esac
    done
    COMPREPLY=()
    reply=$("${words[0]/#\~/$HOME}" __complete --current="$current" -- "${words[@]:1}" 2>/dev/null) || return 0
    { read -r kind
      while IFS=$'\t' read -r candidate _; do
          [ -n "$candidate" ] && COMPREPLY+=("${candidate#"$cut"}")
      done; } <<< "$reply"
    if [ "$kind" = files ]; then
        while IFS= read -r candidate; do
            COMPREPLY+=("$candidate")
        done < <(compgen -f -- "${current#"$cut"}")
        compopt -o filenames 2>/dev/null
    elif [ ${#COMPREPLY[@]} -eq 1 ]; then
        # More follows a slash or an equals sign.
        case ${COMPREPLY[0]} in
            */ | *=) compopt -o nospace 2>/dev/null ;;
        esac
    fi
    return 0
}

complete -F _etcdive etcdive
