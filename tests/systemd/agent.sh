# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Agents in the machine with systemd, laid out and started as Azure Pipelines' own are
# (azure-pipelines-agent 3 and 4: svc.sh, runsvc.sh, the scale set's extension), with the stand-in of
# agent.c for their programs, and jobs for them.

# Where an agent lives, by its short name.
agent_home() { echo "/home/$1/agent"; }

# agent_make USER AGENT-NAME: user and folder.
agent_make() {
	local home
	home=$(agent_home "$1")
	useradd --create-home --shell /bin/bash "$1"
	mkdir -p "$home"/bin.4.260.0 "$home"/externals/node20_1/bin "$home"/queue "$home"/_work
	for program in Agent.Listener Agent.Worker Agent.PluginHost; do
		install -m 755 build/agent "$home/bin.4.260.0/$program"
	done
	install -m 755 build/agent "$home/externals/node20_1/bin/node"
	# After a self-update it is a link.
	ln -s bin.4.260.0 "$home/bin"
	cat >"$home/.agent" <<-END
		{ "agentId": "12", "agentName": "$2", "poolId": "1", "poolName": "Default",
		  "serverUrl": "https://dev.azure.com/contoso/", "workFolder": "_work" }
	END
	cat >"$home/runsvc.sh" <<-'END'
		#!/bin/bash
		# convert SIGTERM signal to SIGINT, for more info on how to propagate SIGTERM to a child process see: http://veithen.github.io/2014/11/16/sigterm-propagation.html
		trap 'kill -INT $PID' TERM INT
		./externals/node20_1/bin/node ./bin/AgentService.js &
		PID=$!
		wait $PID
		trap - TERM INT
		wait $PID
	END
	cat >"$home/run.sh" <<-'END'
		#!/bin/bash
		cd "$(dirname "$0")"
		./bin/Agent.Listener run
	END
	chmod 755 "$home"/run*.sh
	chown -R "$1:" "$home"
}

# agent_unit USER UNIT: what svc.sh install writes and does.
agent_unit() {
	local home
	home=$(agent_home "$1")
	cat >"/etc/systemd/system/$2" <<-END
		[Unit]
		Description=Azure Pipelines Agent ($2)
		After=network.target

		[Service]
		ExecStart=$home/runsvc.sh
		User=$1
		WorkingDirectory=$home
		KillMode=process
		KillSignal=SIGTERM
		TimeoutStopSec=5min

		[Install]
		WantedBy=multi-user.target
	END
	systemctl daemon-reload
	systemctl enable "$2"
}

# job_queue USER NAME DEFINITION <SCRIPT: gives an agent a job whose one step is the script.
job_queue() {
	local home
	home=$(agent_home "$1")
	mkdir -p "/home/$1/steps"
	rm -f "$home/queue/$2".*
	{ echo "name=$2" && cat; } >"/home/$1/steps/$2.sh"
	cat >"$home/queue/.$2" <<-END
		STEP=/home/$1/steps/$2.sh
		SYSTEM_JOBID=5a0e8f3e-0000-4000-8000-$2
		SYSTEM_PLANID=7c9c4a10-0000-4000-8000-000000000001
		SYSTEM_DEFINITIONID=42
		SYSTEM_DEFINITIONNAME=$3
		SYSTEM_TEAMPROJECT=webshop
		SYSTEM_TEAMPROJECTID=0d3c2f60-0000-4000-8000-000000000002
		SYSTEM_COLLECTIONURI=https://dev.azure.com/contoso/
		SYSTEM_STAGENAME=build
		SYSTEM_JOBNAME=linux
		SYSTEM_JOBATTEMPT=1
		BUILD_BUILDID=20260
		BUILD_BUILDNUMBER=20260801.3
		BUILD_DEFINITIONNAME=$3
		BUILD_REPOSITORY_URI=https://dev.azure.com/contoso/webshop/_git/webshop
		BUILD_SOURCEBRANCH=refs/heads/main
		BUILD_SOURCEVERSION=8843d7f92416211de9ebb963ff4ce28125932878
		AGENT_ID=12
		AGENT_NAME=build-7
		AGENT_JOBNAME=linux
		SYSTEM_ACCESSTOKEN=a-secret-that-no-record-may-hold
	END
	mv "$home/queue/.$2" "$home/queue/$2.job"
}

# What a job wrote, and what became of it: shown by fail() when a case ends.
job_log() { cat "$(agent_home "$1")/queue/$2.log"; }
job_ended() { wait_until "${3:-60}" test -e "$(agent_home "$1")/queue/$2.done" || { job_log "$1" "$2"; fail "job $2 has not ended"; }; }
job_said() { job_log "$1" "$2" 2>/dev/null | grep -q -- "$3"; }
job_says() { wait_until "${4:-60}" job_said "$1" "$2" "$3" || { job_log "$1" "$2"; fail "job $2 does not say '$3'"; }; }
