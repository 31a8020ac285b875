#include "daemon/completion/scripts.h"

#include <string.h>

/* ---- both -------------------------------------------------------------------------------------------------------- */

/* The length of the first word of a command's name. */
static int first_word(const struct command *command)
{
    return (int)strcspn(command->name, " ");
}

/* The second word of a command's name, or NULL. */
static const char *second_word(const struct command *command)
{
    const char *blank = strchr(command->name, ' ');
    return blank ? blank + 1 : NULL;
}

static bool same_first_word(const struct command *a, const struct command *b)
{
    return first_word(a) == first_word(b) && strncmp(a->name, b->name, (size_t)first_word(a)) == 0;
}

/* Returns true if no command before the i-th begins with the same word. */
static bool is_new(const struct command *const *commands, int i)
{
    for (int j = 0; j < i; j++)
        if (same_first_word(commands[j], commands[i]))
            return false;
    return true;
}

/* Writes n bytes of text for the inside of single quotes, with a backslash before each byte of `special`. */
static void quote(FILE *out, const char *text, size_t n, const char *special)
{
    for (size_t i = 0; i < n && text[i]; i++) {
        if (text[i] == '\'') {
            fputs("'\\''", out);
            continue;
        }
        if (strchr(special, text[i]))
            fputc('\\', out);
        fputc(text[i], out);
    }
}

/* ---- bash -------------------------------------------------------------------------------------------------------- */

static const char bash_functions[] =
    "# Sets `takes` to what the value of option $1 is: $1 is --NAME, its beginning, or -LETTER. flag: it has no value.\n"
    "_memaed_option()\n"
    "{\n"
    "    local row\n"
    "    takes=flag\n"
    "    for row in \"${options[@]}\"; do\n"
    "        if [[ \" $row\" == *\" $1 \"* ]]; then\n"
    "            takes=${row#*--* }\n"
    "            break\n"
    "        elif [[ $1 == --?* && \" $row\" == *\" $1\"* ]]; then\n"
    "            takes=${row#*--* }\n"
    "        fi\n"
    "    done\n"
    "    if [[ $takes == files ]]; then              # words that follow belong to it, too\n"
    "        takes=file operands=file\n"
    "    fi\n"
    "}\n"
    "\n"
    "# Offers the words of $1 that begin with $2, each with $3 before it, and no files.\n"
    "_memaed_offer()\n"
    "{\n"
    "    compopt +o default\n"
    "    COMPREPLY=($(compgen -P \"$3\" -W \"$1\" -- \"$2\"))\n"
    "}\n"
    "\n"
    "_memaed()\n"
    "{\n"
    "    local IFS=$' \\t\\n' line=${COMP_LINE:0:COMP_POINT} words=() word cur names= letters\n"
    "    local options=() operands=none most=0 n=0 takes=flag ended= help= given before=\n"
    "    COMPREPLY=()\n"
    "\n"
    "    # words: those before the cursor as the shell sees them. Readline has divided them at \"=\" and \":\", too.\n"
    "    for word in \"${COMP_WORDS[@]:0:COMP_CWORD}\"; do\n"
    "        if [[ ${#words[@]} -gt 0 && $line == \"$word\"* ]]; then\n"
    "            words[-1]+=$word\n"
    "        else\n"
    "            words+=(\"$word\")\n"
    "        fi\n"
    "        line=${line#*\"$word\"}\n"
    "    done\n"
    "    cur=${line#\"${line%%[![:space:]]*}\"}        # the word at the cursor, as far as the cursor\n"
    "    if [[ $cur == \"$line\" && ${#words[@]} -gt 0 ]]; then\n"
    "        cur=${words[-1]}$cur\n"
    "        unset 'words[-1]'\n"
    "    fi\n"
    "\n"
    "    if [[ ${words[1]-} == help ]]; then\n"
    "        help=1\n"
    "        words=(memaed \"${words[@]:2}\")\n"
    "    fi\n"
    "    if [[ ${#words[@]} -gt 1 ]] && _memaed_command \"${words[1]}\"; then\n"
    "        given=2\n"
    "    elif [[ ${#words[@]} -gt 2 ]] && _memaed_command \"${words[1]} ${words[2]}\"; then\n"
    "        given=3\n"
    "    else\n"
    "        if [[ ${#words[@]} -le 2 ]]; then\n"
    "            _memaed_names \"${words[1]-}\"\n"
    "        fi\n"
    "        if [[ $help ]]; then\n"
    "            names=${names/ help/}\n"
    "        elif [[ $cur == -* && $names ]]; then\n"
    "            names='-h --help'\n"
    "            [[ ${words[1]-} ]] || names+=' --version'\n"
    "        fi\n"
    "        _memaed_offer \"$names\" \"$cur\" ''\n"
    "        return\n"
    "    fi\n"
    "    if [[ $help ]]; then\n"
    "        _memaed_offer '' '' ''\n"
    "        return\n"
    "    fi\n"
    "\n"
    "    for word in \"${words[@]:given}\"; do\n"
    "        if [[ $takes != flag ]]; then           # the word is the value of the option before it\n"
    "            takes=flag\n"
    "        elif [[ $ended || $word != -?* ]]; then\n"
    "            n=$((n + 1))\n"
    "        elif [[ $word == -- ]]; then\n"
    "            ended=1 options=()\n"
    "        elif [[ $word == --*=* ]]; then\n"
    "            _memaed_option \"${word%%=*}\"\n"
    "            takes=flag\n"
    "        elif [[ $word == --* ]]; then\n"
    "            _memaed_option \"$word\"\n"
    "        else\n"
    "            letters=${word#-}\n"
    "            while [[ $letters && $takes == flag ]]; do\n"
    "                _memaed_option \"-${letters:0:1}\"\n"
    "                letters=${letters:1}\n"
    "            done\n"
    "            [[ $letters ]] && takes=flag        # the rest of the word is the value\n"
    "        fi\n"
    "    done\n"
    "    [[ $most -gt 0 && $n -ge $most ]] && operands=none\n"
    "\n"
    "    if [[ $takes == flag && ! $ended && $cur == --*=* ]]; then\n"
    "        _memaed_option \"${cur%%=*}\"\n"
    "        [[ $takes == flag ]] && takes=none\n"
    "        [[ ${2-} == --*=* ]] && before=${cur%%=*}=      # where readline does not divide words at \"=\"\n"
    "        cur=${cur#*=}\n"
    "    elif [[ $takes == flag && ! $ended && $cur == -* ]]; then\n"
    "        takes=names\n"
    "    elif [[ $takes == flag ]]; then\n"
    "        takes=$operands\n"
    "        [[ $takes == none ]] && takes=names\n"
    "    fi\n"
    "    case $takes in\n"
    "    names)\n"
    "        for word in \"${options[@]}\"; do\n"
    "            names+=\" ${word% \"${word#*--* }\"}\"\n"
    "        done\n"
    "        _memaed_offer \"$names\" \"$cur\" '' ;;\n"
    "    choice*) _memaed_offer \"${takes#choice}\" \"$cur\" \"$before\" ;;\n"
    "    none) _memaed_offer '' '' '' ;;\n"
    "    folder) compopt +o default -o dirnames ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "# Files are left to readline: it knows quotes, \"~\" and names with blanks.\n"
    "complete -o default -F _memaed memaed\n";

static void bash_choices(FILE *out, const char *(*choice)(int i))
{
    fputs("choice", out);
    for (int i = 0; choice(i); i++)
        fprintf(out, " %s", choice(i));
}

static const char *bash_path(enum option_path path, bool more)
{
    return path == OPTION_NO_PATH ? "none" : path == OPTION_FOLDER ? "folder" : more ? "files" : "file";
}

static void bash_option(FILE *out, const struct command_option *option)
{
    fputs("\n            '", out);
    if (option->letter)
        fprintf(out, "-%c ", option->letter);
    fprintf(out, "--%s ", option->name);
    if (option->type == OPTION_IS_CHOICE)
        bash_choices(out, option->choice);
    else
        fputs(option->type == OPTION_IS_FLAG ? "flag" : bash_path(option->path, option->more), out);
    fputc('\'', out);
}

void completion_bash(const struct command *const *commands, FILE *out)
{
    const struct command_option *option;
    fputs("# Completion of memaed in bash, made by `memaed completion bash`.\n\n"
          "# Sets `names` to the words that may follow `memaed $1` in the name of a command.\n"
          "_memaed_names()\n{\n    case $1 in\n    '') names='", out);
    for (int i = 0; commands[i]; i++)
        if (is_new(commands, i))
            fprintf(out, "%.*s ", first_word(commands[i]), commands[i]->name);
    fputs("help' ;;\n", out);
    for (int i = 0; commands[i]; i++) {
        if (!second_word(commands[i]) || !is_new(commands, i))
            continue;
        fprintf(out, "    %.*s) names='", first_word(commands[i]), commands[i]->name);
        for (int j = i; commands[j]; j++)
            if (same_first_word(commands[i], commands[j]))
                fprintf(out, "%s%s", j == i ? "" : " ", second_word(commands[j]));
        fputs("' ;;\n", out);
    }
    fputs("    *) names= ;;\n    esac\n}\n\n"
          "# Sets `options` to the options of command $1, each with what its value is; `operands` to what other words are; and\n"
          "# `most` to how many of those there may be (0: any number).\n"
          "_memaed_command()\n{\n    case $1 in\n", out);
    for (int i = 0; commands[i]; i++) {
        fprintf(out, "    '%s')\n        options=(", commands[i]->name);
        for (int j = 0; (option = command_option(commands[i], j)); j++)
            bash_option(out, option);
        fputs(")\n        operands='", out);
        if (commands[i]->operand_choice)
            bash_choices(out, commands[i]->operand_choice);
        else
            fputs(bash_path(commands[i]->operand_path, false), out);
        fprintf(out, "' most=%zu ;;\n", commands[i]->most);
    }
    fputs("    *) return 1 ;;\n    esac\n}\n\n", out);
    fputs(bash_functions, out);
}

/* ---- zsh --------------------------------------------------------------------------------------------------------- */

static const char zsh_functions[] =
    "_memaed()\n"
    "{\n"
    "    local curcontext=$curcontext help=\n"
    "    local -a names specs\n"
    "    integer given\n"
    "\n"
    "    if (( CURRENT > 2 )) && [[ $words[2] == help ]]; then\n"
    "        help=1\n"
    "        words=(\"$words[1]\" \"${(@)words[3,-1]}\")\n"
    "        (( CURRENT-- ))\n"
    "    fi\n"
    "    if (( CURRENT > 2 )) && _memaed_command \"$words[2]\"; then\n"
    "        given=2\n"
    "    elif (( CURRENT > 3 )) && _memaed_command \"$words[2] $words[3]\"; then\n"
    "        given=3\n"
    "    elif (( CURRENT > 3 )); then\n"
    "        return 1\n"
    "    else\n"
    "        _memaed_names \"${words[2,CURRENT-1]}\"\n"
    "        if [[ $help ]]; then\n"
    "            names=(\"${(@)names:#help:*}\")\n"
    "        elif [[ $words[CURRENT] == -* ]]; then\n"
    "            names=('-h:show help' '--help:show help')\n"
    "            (( CURRENT == 2 )) && names+=('--version:print the version')\n"
    "            _describe -o option names\n"
    "            return\n"
    "        fi\n"
    "        _describe -t commands command names\n"
    "        return\n"
    "    fi\n"
    "    [[ $help ]] && return 1\n"
    "\n"
    "    curcontext=\"${curcontext%:*:*}:memaed-${(j:-:)words[2,given]}:\"\n"
    "    words=(\"$words[1]\" \"${(@)words[given + 1,-1]}\")\n"
    "    (( CURRENT -= given - 1 ))\n"
    "    _arguments -s -S : \"${(@)specs}\"\n"
    "}\n"
    "\n"
    "# Autoloaded, this file is the body of _memaed.\n"
    "if [[ $funcstack[1] == _memaed ]]; then\n"
    "    _memaed \"$@\"\n"
    "else\n"
    "    compdef _memaed memaed\n"
    "fi\n";

/* The length of the first sentence, without its full stop. */
static size_t first_sentence(const char *text)
{
    const char *end = strstr(text, ". ");
    size_t n = end ? (size_t)(end - text) : strlen(text);
    return n > 0 && text[n - 1] == '.' ? n - 1 : n;
}

/* ":MESSAGE:ACTION", by which zsh completes a value. */
static void zsh_value(FILE *out, const char *name, enum option_path path, const char *(*choice)(int i))
{
    static const char *const actions[] = {[OPTION_NO_PATH] = " ", [OPTION_FILE] = "_files", [OPTION_FOLDER] = "_path_files -/"};
    fputc(':', out);
    quote(out, name, strlen(name), "\\:");
    fputc(':', out);
    for (int i = 0; choice && choice(i); i++)
        fprintf(out, "%c%s", i == 0 ? '(' : ' ', choice(i));
    fputs(choice ? ")" : actions[path], out);
}

/* A word of the array `specs` for the long or the short form of an option. */
static void zsh_option(FILE *out, const struct command_option *option, bool is_long)
{
    bool is_flag = option->type == OPTION_IS_FLAG;
    fputs("\n            '", out);
    if (option->type == OPTION_IS_LIST)
        fputc('*', out);
    else if (strcmp(option->name, "help") == 0)
        fputs("(- : *)", out);
    else if (option->letter)
        fprintf(out, "(-%c --%s)", option->letter, option->name);
    if (is_long)
        fprintf(out, "--%s%s[", option->name, is_flag ? "" : "=");
    else
        fprintf(out, "-%c%s[", option->letter, is_flag ? "" : "+");
    quote(out, option->help, first_sentence(option->help), "\\[]:");
    fputc(']', out);
    if (!is_flag)
        zsh_value(out, option->argument ? option->argument : option->name, option->path,
                  option->type == OPTION_IS_CHOICE ? option->choice : NULL);
    fputc('\'', out);
}

/* The words of `specs` for the words that belong to no option. */
static void zsh_operands(FILE *out, const struct command *command)
{
    if (!command->operand)
        return;
    for (size_t i = 1; i <= command->most || i == 1; i++) {
        fputs("\n            '", out);
        if (command->most == 0)
            fputc('*', out);
        else
            fprintf(out, "%zu", i);
        zsh_value(out, command->operand, command->operand_path, command->operand_choice);
        fputc('\'', out);
    }
}

/* A line for an option with `more`, of a command that takes no other words: then words that follow belong to it. */
static void zsh_more(FILE *out, const struct command_option *option)
{
    fprintf(out, "        (( $words[(I)--%s(|=*)", option->name);
    if (option->letter)
        fprintf(out, "|-%c*", option->letter);
    fputs("] )) && specs+=('*", out);
    zsh_value(out, option->argument, option->path, NULL);
    fputs("')\n", out);
}

static void zsh_command(FILE *out, const struct command *command)
{
    const struct command_option *option;
    fprintf(out, "    '%s')\n        specs=(", command->name);
    for (int i = 0; (option = command_option(command, i)); i++) {
        if (option->letter)
            zsh_option(out, option, false);
        zsh_option(out, option, true);
    }
    zsh_operands(out, command);
    fputs(")\n", out);
    for (int i = 0; !command->operand && (option = command_option(command, i)); i++)
        if (option->more)
            zsh_more(out, option);
    fputs("        return 0 ;;\n", out);
}

/* A word of the array `names`. */
static void zsh_name(FILE *out, const char *name, int n, const char *summary)
{
    fprintf(out, "\n            '%.*s:", n, name);
    quote(out, summary, strlen(summary), "\\:");
    fputc('\'', out);
}

/* The names that may follow `memaed`. A group of commands is described by the second words of their names. */
static void zsh_first_names(FILE *out, const struct command *const *commands)
{
    for (int i = 0; commands[i]; i++) {
        char words[256] = "";
        for (int j = i; second_word(commands[i]) && commands[j]; j++) {
            size_t n = strlen(words);
            if (same_first_word(commands[i], commands[j]))
                snprintf(words + n, sizeof words - n, "%s%s", n > 0 ? ", " : "", second_word(commands[j]));
        }
        if (is_new(commands, i))
            zsh_name(out, commands[i]->name, first_word(commands[i]), *words ? words : commands[i]->summary);
    }
    zsh_name(out, "help", 4, "explain a command and its options");
}

void completion_zsh(const struct command *const *commands, FILE *out)
{
    fputs("#compdef memaed\n"
          "# Completion of memaed in zsh, made by `memaed completion zsh`.\n\n"
          "# Sets `names` to the words that may follow `memaed $1` in the name of a command, with their descriptions.\n"
          "_memaed_names()\n{\n    case $1 in\n    '')\n        names=(", out);
    zsh_first_names(out, commands);
    fputs(") ;;\n", out);
    for (int i = 0; commands[i]; i++) {
        if (!second_word(commands[i]) || !is_new(commands, i))
            continue;
        fprintf(out, "    %.*s)\n        names=(", first_word(commands[i]), commands[i]->name);
        for (int j = i; commands[j]; j++)
            if (same_first_word(commands[i], commands[j]))
                zsh_name(out, second_word(commands[j]), (int)strlen(second_word(commands[j])), commands[j]->summary);
        fputs(") ;;\n", out);
    }
    fputs("    esac\n}\n\n"
          "# Sets `specs` to what _arguments has to know of command $1.\n"
          "_memaed_command()\n{\n    case $1 in\n", out);
    for (int i = 0; commands[i]; i++)
        zsh_command(out, commands[i]);
    fputs("    *) return 1 ;;\n    esac\n}\n\n", out);
    fputs(zsh_functions, out);
}
