# Completion of umx(1) for bash: commands, options, phases, tables, and plan names where an identity is set.

_umx_words() # WORD... - offers the words that begin with what was typed
{
    local word
    for word in "$@"; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
    done
}

_umx_column() # COMMAND... - first column of a local command's CSV
{
    local line number slug
    while IFS= read -r line; do
        if [[ $1 == phases ]]; then
            IFS=, read -r number slug line <<<"$line"
            [[ $slug == slug ]] || printf '%s\n' "$slug"
        else
            [[ ${line%%,*} == name ]] || printf '%s\n' "${line%%,*}"
        fi
    done < <(umx "$@" -o csv 2>/dev/null)
}

_umx_plans()
{
    local line
    [[ -n $UMX_IDENTITY && -r $UMX_IDENTITY ]] || return
    while IFS= read -r line; do
        [[ $line =~ \"name\":\"([A-Za-z0-9._-]+)\" ]] && printf '%s\n' "${BASH_REMATCH[1]}"
    done < <(umx plan list -o jsonl 2>/dev/null)
}

_umx_queries()
{
    local line
    [[ -n $UMX_IDENTITY && -r $UMX_IDENTITY ]] || return
    while IFS= read -r line; do
        [[ $line =~ \"name\":\"([A-Za-z0-9._-]+)\" ]] && printf '%s\n' "${BASH_REMATCH[1]}"
    done < <(umx query list -o jsonl 2>/dev/null)
}

_umx_value() # OPTION - values of an option; fails when it takes none
{
    case $1 in
    -o) _umx_words table json jsonl csv ;;
    --phase | --to-phase) _umx_words $(_umx_column phases) ;;
    --plan) _umx_words $(_umx_plans) ;;
    --table) _umx_words dial_plan auto_attendant user contact ;;
    --separator) _umx_words , ';' ;;
    --identity | --snapshot | --certificate | --key | --ca | --out | --input | --package | --signature) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    --controller | --pair | --set | --ticket | --comment | --not-before | --not-after | --max-failures | --forest | \
        --value | --file | --expires | --hash | --fingerprint | --name | --timeout | --after | --limit | --where | --description | \
        --canary | --wave | --trial | --server | --fqdn | --pattern | --uses | --leave-behind) ;;
    *) return 1 ;;
    esac
}

_umx_options() # COMMAND - its own options
{
    case $1 in
    agents) echo --watch ;;
    "agents accept" | "agents reject") echo --key ;;
    "agents update") echo --package --signature --canary --wave --trial --server --downgrade ;;
    "agents package") echo --out ;;
    "token create") echo --fqdn --pattern --forest --expires --uses --out ;;
    query | "query run") echo --live --where --timeout ;;
    "query save") echo --description --replace ;;
    check) echo --phase --pair --set --snapshot --all --html --out ;;
    "plan template") echo --phase --pair --set --table --separator ;;
    "plan create") echo --phase --pair --set --input --table --ticket --not-before --not-after --max-failures ;;
    "plan show") echo --diff ;;
    "plan approve") echo --forest --expires --ticket --comment --hash --break-glass ;;
    "plan deny" | "plan withdraw") echo --forest --ticket --comment --hash ;;
    "plan start") echo --phase ;;
    "plan confirm") echo --comment --value --file ;;
    "plan export") echo --html --out ;;
    "plan undo") echo --to-phase --name ;;
    audit) echo --plan --after --limit ;;
    "ca rotate begin") echo --root ;;
    "ca rotate complete") echo --leave-behind ;;
    login) echo --forest --service --certificate --key --ca --fingerprint --out ;;
    esac
}

_umx()
{
    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} i word skip=0
    local -a plain=()
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((skip)); then
            skip=0
        elif [[ $word == -* ]]; then
            case $word in
            --progress | --help | --version | --all | --diff | --break-glass | --html | --watch | --live | --replace | --root | --downgrade) ;;
            *) skip=1 ;;
            esac
        else
            plain+=("$word")
        fi
    done
    if ((skip)); then
        _umx_value "$previous"
        return
    fi
    local command=${plain[0]-}
    case $command in
    plan | snapshot | grants | token) command="$command ${plain[1]-}" ;;
    ca) command="ca ${plain[1]-}${plain[2]:+ ${plain[2]}}" ;;
    audit) [[ ${plain[1]-} == verify ]] && command="audit verify" ;;
    agents) [[ ${plain[1]-} =~ ^(held|accept|reject|revoke|forget|update|package)$ ]] && command="agents ${plain[1]}" ;;
    query) [[ ${plain[1]-} =~ ^(list|run|save|delete)$ ]] && command="query ${plain[1]}" ;;
    esac
    if [[ $cur == -* ]]; then
        _umx_words $(_umx_options "$command") --controller --identity -o --progress --help
        return
    fi
    case ${#plain[@]}:${plain[0]-} in
    0:*) _umx_words status agents token query tables check phases snapshot plan audit grants ca login logout whoami help ;;
    1:plan) _umx_words template create list show submit approve deny withdraw start confirm watch suspend resume cancel undo result export delete ;;
    1:snapshot) _umx_words save diff ;;
    1:grants) _umx_words show ;;
    1:ca) _umx_words status rotate ;;
    2:ca) [[ ${plain[1]} == rotate ]] && _umx_words begin complete rollback ;;
    1:audit) _umx_words verify ;;
    1:agents) _umx_words held accept reject revoke forget update package ;;
    2:agents) [[ ${plain[1]} == update ]] && _umx_words status pause resume stop ;;
    1:token) _umx_words create list revoke ;;
    1:query) _umx_words list run save delete ;;
    2:query) [[ ${plain[1]} == run || ${plain[1]} == delete ]] && _umx_words $(_umx_queries) ;;
    1:tables) _umx_words $(_umx_column tables) ;;
    1:phases) _umx_words $(_umx_column phases) ;;
    1:help) _umx_words status agents token query tables check phases snapshot plan audit grants ca login logout whoami ;;
    2:plan) [[ ${plain[1]} == template || ${plain[1]} == create || ${plain[1]} == list ]] || _umx_words $(_umx_plans) ;;
    [23]:snapshot) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    esac
}

complete -F _umx umx
