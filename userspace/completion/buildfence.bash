# SPDX-License-Identifier: GPL-2.0
# bash completion for buildfence. Commands and options come from the program's own --help, so that
# nothing has to be kept up to date here.

_buildfence() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word help
	local -a command=("${COMP_WORDS[0]}")

	# The command's words: one, or two where the first has commands of its own.
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		help=$("${command[@]}" --help 2>/dev/null) || return
		[[ $help == *$'\nCommands:\n'* ]] || break
		[[ $word == [a-z]* ]] && command+=("$word")
	done
	help=$("${command[@]}" --help 2>/dev/null) || return
	# After "--mode=" bash gives "--mode", "=" and what follows, each as a word.
	[[ $previous == = ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}
	[[ $current == = ]] && previous=${COMP_WORDS[COMP_CWORD - 1]} current=

	if [[ $previous == --mode ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'enforce audit' -- "$current")
	elif [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(grep -oE -- '^(  -[^ ], |      )--[a-z-]+=?' <<<"$help" |
			grep -oE -- '--[a-z-]+=?')" -- "$current")
		[[ ${COMPREPLY[0]:-} == *= ]] && compopt -o nospace 2>/dev/null
	elif [[ $help == *$'\nCommands:\n'* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' <<<"$help")" -- "$current")
	fi
	# Otherwise nothing: "-o default" completes the names of files.
}
complete -o default -F _buildfence buildfence
