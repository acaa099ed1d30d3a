# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Agents in the machine with systemd: the stand-in of tests/agent, installed and started as Azure
# Pipelines' own is (azure-pipelines-agent 3 and 4: svc.sh, the scale set's extension), and its jobs.

# Where an agent lives, by its user.
agent_home() { echo "/home/$1/agent"; }

# agent_make USER AGENT-NAME: user and folder.
agent_make() {
	useradd --create-home --shell /bin/bash "$1"
	mkdir "/home/$1/steps"
	tests/agent/install "$(agent_home "$1")" "$2" || fail "no agent for $1"
	chown -R "$1:" "/home/$1"
}

# agent_unit USER: what svc.sh install writes and does. The cases want two jobs at a time of it, as
# of a machine with two agents.
agent_unit() {
	local home unit
	home=$(agent_home "$1")
	unit=$(cat "$home/.service")
	sed -e "s|{{AgentRoot}}|$home|; s|{{User}}|$1|; s|{{Description}}|Azure Pipelines Agent ($unit)|" \
		-e '/^\[Service\]/a Environment=STANDIN_PARALLEL=2' \
		"$home/bin/vsts.agent.service.template" >"/etc/systemd/system/$unit"
	systemctl daemon-reload
	systemctl enable "$unit"
}

# job_queue USER NAME DEFINITION <SCRIPT: gives an agent a job whose one step is the script, and whose
# worker tries what is forbidden before anything else.
job_queue() {
	local home step=/home/$1/steps/$2.sh
	home=$(agent_home "$1")
	rm -f "$home/jobs/$2".* "$home/_diag/$2.log"
	cat >"$step"
	cat >"$home/jobs/.$2" <<-END
		step=$step
		first=$EVIL:80
		SYSTEM_JOBID=5a0e8f3e-0000-4000-8000-$2
		SYSTEM_DEFINITIONNAME=$3
		BUILD_DEFINITIONNAME=$3
	END
	mv "$home/jobs/.$2" "$home/jobs/$2.job"
}

# What a job wrote, and what became of it: shown by fail() when a case ends.
job_log() { cat "$(agent_home "$1")/_diag/$2.log"; }
job_done() { [ "$(cat "$(agent_home "$1")/jobs/$2.done" 2>/dev/null)" = 100 ]; }
job_ended() { wait_until "${3:-60}" job_done "$1" "$2" || { job_log "$1" "$2"; fail "job $2 has not ended well"; }; }
job_said() { job_log "$1" "$2" 2>/dev/null | grep -q -- "$3"; }
job_says() { wait_until "${4:-60}" job_said "$1" "$2" "$3" || { job_log "$1" "$2"; fail "job $2 does not say '$3'"; }; }
