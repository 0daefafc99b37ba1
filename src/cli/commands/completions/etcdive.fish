# fish completion for etcdive. In ~/.config/fish/config.fish: etcdive completions fish | source

function __etcdive_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l lines ($program __complete --current="$current" -- $words 2>/dev/null)
    set -l kind $lines[1]
    set -e lines[1]
    if test (count $lines) -gt 0
        printf '%s\n' $lines
    end
    if test "$kind" = files
        __fish_complete_path "$current"
    end
end

complete -c etcdive -f -a '(__etcdive_complete)'
