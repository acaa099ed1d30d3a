#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Checks the form of a file of records, then prints the sum of EventCount over those that match.

Usage: records.py FILE [FIELD=VALUE]...    (VALUE is a shell pattern)
"""
import fnmatch
import json
import os
import sys

ALWAYS = """TimeGenerated EventStartTime EventEndTime EventCount EventType EventSchema EventSchemaVersion
EventVendor EventProduct EventProductVersion EventSeverity EventResult DvcAction DvcHostname
NetworkDirection Reason Mode PolicyName PolicyHash JobName CgroupPath""".split()
SOMETIMES = """EventResultDetails NetworkProtocol NetworkApplicationProtocol SrcIpAddr SrcPortNumber DstIpAddr
DstPortNumber DstFQDN EventOriginalUid SrcProcessName SrcProcessId DstProcessName DstProcessId SrcUserId SrcUsername
NetworkRuleName Hook ProcessCommandLine DvcIpAddr DvcId EventMessage""".split()
VALUES = {
    "EventType": {"EndpointNetworkSession"},
    "EventSchema": {"NetworkSession"},
    "EventSchemaVersion": {"0.2.7"},
    "EventSeverity": {"Informational", "Low", "Medium", "High"},
    "EventResult": {"Success", "Failure"},
    "DvcAction": {"Deny", "Drop", "Allow"},
    "NetworkDirection": {"Outbound", "Inbound", "Local"},
    "Mode": {"enforce", "audit"},
    "Reason": {"not-allowed", "port", "dns-name", "dns-server", "dns-malformed", "metadata", "inbound",
               "socket-type", "tls-name", "loopback", "denied-by-rule", "expired", "tamper"},
}
LINE_MAX = 8192


def fault(record, line):
    """Says what is wrong with a record, or None."""
    if len(line) > LINE_MAX:
        return "the line has %d bytes" % len(line)
    missing = [field for field in ALWAYS if field not in record]
    if missing:
        return "lacks " + " ".join(missing)
    for field, value in record.items():
        if field not in ALWAYS and field not in SOMETIMES and not field.startswith(("Azp", "Forge")):
            return "has an unknown field " + field
        if isinstance(value, (dict, list)):
            return field + " is not flat"
        if field in VALUES and value not in VALUES[field]:
            return "%s is %r" % (field, value)
    if type(record["EventCount"]) is not int or record["EventCount"] < 1:
        return "EventCount is %r" % record["EventCount"]
    simulation = record.get("EventResultDetails") == "Simulation"
    if simulation != (record["Mode"] == "audit") or simulation != (record["DvcAction"] == "Allow"):
        return "mode, action and result disagree"
    return None


def matches(record, conditions):
    for condition in conditions:
        field, wanted = condition.split("=", 1)
        if not fnmatch.fnmatchcase(str(record.get(field, "")), wanted):
            return False
    return True


def main():
    total = 0
    uids = set()
    path = sys.argv[1]
    for number, line in enumerate(open(path, "rb") if os.path.exists(path) else [], 1):
        record = json.loads(line.decode("utf-8"))
        wrong = fault(record, line)
        uid = record.get("EventOriginalUid")
        if not wrong and uid in uids:
            wrong = "is written twice: " + uid
        if uid:
            uids.add(uid)
        if wrong:
            print("# record %d %s" % (number, wrong))
            return 1
        if matches(record, sys.argv[2:]):
            total += record["EventCount"]
    print(total)
    return 0


sys.exit(main())
