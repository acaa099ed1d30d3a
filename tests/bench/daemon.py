#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What the daemon costs with many jobs: daemon.py BUILDFENCE [JOBS]

Attaches JOBS (1000) cgroups and prints the time of each attachment, the daemon's memory, its idle
processor time, what a flood of refused datagrams from one job costs it, a reload, and a takeover
after kill -9. The flood goes nowhere: its network namespace has no way out.
"""
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

FLOOD_S = 5
IDLE_S = 10
FLOODER = """
import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end, count = time.monotonic() + %d, 0
while time.monotonic() < end:
    for _ in range(100):
        try:
            sock.sendto(b"x", ("203.0.113.66", 9))
        except PermissionError:
            count += 1
print(count)
""" % FLOOD_S


def cgroup2():
    for line in open("/proc/self/mounts"):
        if line.split()[2] == "cgroup2":
            return line.split()[1]
    raise SystemExit("no cgroup2 is mounted")


class Daemon:
    def __init__(self, binary, jobs):
        self.binary, self.jobs = binary, jobs
        self.mount = cgroup2()
        self.folder = tempfile.mkdtemp(prefix="bf-bench-")
        self.cgroup = "%s/bf-bench-%d" % (self.mount, os.getpid())
        os.makedirs(self.cgroup + "/daemon")
        self.path = self.cgroup[len(self.mount):]
        self.pins = "bench-%d" % os.getpid()
        with open(self.folder + "/policy.yaml", "w") as policy:
            policy.write("version: 1\npresets: [azure-devops]\n")
        with open(self.folder + "/config.yaml", "w") as config:
            config.write("version: 1\npolicy: policy.yaml\nazure: off\nstate: {0}/state\n"
                         "socket: {0}/socket\nrecords: {0}/records\npins: {1}\ncgroup: {2}/daemon\n"
                         "limits: {{ jobs: {3} }}\n".format(self.folder, self.pins, self.path, jobs + 8))
        self.start()

    def start(self):
        def enter():
            with open(self.cgroup + "/daemon/cgroup.procs", "w") as procs:
                procs.write(str(os.getpid()))
        self.process = subprocess.Popen([self.binary, "daemon", "--config", self.folder + "/config.yaml"],
                                        preexec_fn=enter, stderr=open(self.folder + "/log", "a"))
        while True:
            try:
                return self.call(request="status")
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit(open(self.folder + "/log").read())
                time.sleep(0.01)

    def call(self, **request):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self.folder + "/socket")
            sock.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(sock.makefile().readline())
        if not answer["ok"]:
            raise SystemExit(answer["error"])
        return answer

    def memory_mib(self):
        for line in open("/proc/%d/status" % self.process.pid):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024

    def cpu_s(self):
        fields = open("/proc/%d/stat" % self.process.pid).read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree("/sys/fs/bpf/buildfence/" + self.pins, ignore_errors=True)
        for number in range(self.jobs):
            if os.path.isdir("%s/j%d" % (self.cgroup, number)):
                os.rmdir("%s/j%d" % (self.cgroup, number))
        os.rmdir(self.cgroup + "/daemon")
        os.rmdir(self.cgroup)
        shutil.rmtree(self.folder)


def kernel_mib():
    """Memory that the kernel holds for itself."""
    fields = {line.split(":")[0]: int(line.split()[1]) for line in open("/proc/meminfo")}
    return (fields["Slab"] + fields["Percpu"] + fields["VmallocUsed"]) / 1024


def attach_all(daemon):
    times, before = [], kernel_mib()
    print("memory with no job: %.1f MiB" % daemon.memory_mib())
    for number in range(daemon.jobs):
        os.mkdir("%s/j%d" % (daemon.cgroup, number))
        begin = time.monotonic()
        daemon.call(request="attach", job="j%d" % number, cgroup="%s/j%d" % (daemon.path, number))
        times.append((time.monotonic() - begin) * 1000)
        if number + 1 == 100:
            print("memory with 100 jobs: %.1f MiB" % daemon.memory_mib())
    print("attach: median of the first 50 %.1f ms, of the last 50 %.1f ms, longest %.1f ms" %
          (statistics.median(times[:50]), statistics.median(times[-50:]), max(times)))
    print("memory with %d jobs: %.1f MiB; the kernel's: %.0f KiB a job" %
          (daemon.jobs, daemon.memory_mib(), (kernel_mib() - before) * 1024 / daemon.jobs))


def flood(daemon):
    command = ("echo $$ >%s/j0/cgroup.procs; ip link set lo up; ip route add 203.0.113.0/24 dev lo;"
               " exec %s -c \"$0\"" % (daemon.cgroup, sys.executable))
    before = daemon.cpu_s()
    output = subprocess.run(["unshare", "--net", "sh", "-c", command, FLOODER], capture_output=True,
                            text=True, check=True).stdout
    print("flood: %d refused a second, %.1f %% of a core for the daemon" %
          (int(output) / FLOOD_S, (daemon.cpu_s() - before) / FLOOD_S * 100))


def timed(text, call):
    begin = time.monotonic()
    call()
    print("%s: %.2f s" % (text, time.monotonic() - begin))


def change_policy(daemon):
    with open(daemon.folder + "/policy.yaml", "a") as policy:
        policy.write("allow: [ https://feed.example ]\n")
    daemon.call(request="reload")


def take_over(daemon):
    daemon.process.kill()
    daemon.process.wait()
    daemon.start()


def main():
    daemon = Daemon(os.path.realpath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
    try:
        attach_all(daemon)
        before = daemon.cpu_s()
        time.sleep(IDLE_S)
        print("idle: %.2f %% of a core" % ((daemon.cpu_s() - before) / IDLE_S * 100))
        flood(daemon)
        timed("reload of %d jobs' policy" % daemon.jobs, lambda: change_policy(daemon))
        timed("takeover of %d jobs after kill -9" % daemon.jobs, lambda: take_over(daemon))
    finally:
        daemon.stop()


main()
