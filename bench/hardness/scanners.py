"""What the scanners say that auditors use: sslyze against Mozilla's intermediate profile, and testssl.sh."""
import json, os, shutil, subprocess, sys

from certificates import EC, NAME, RSA, Authority
from doors import door
from stage import StatusPages

NEEDS = ()
SEVERE = ("MEDIUM", "HIGH", "CRITICAL", "FATAL")

def flags(group):
    group.add_argument("--sslyze", default="sslyze", help="the program (default %(default)s)")
    group.add_argument("--testssl", default=None, help="the program (default: testssl or testssl.sh)")

def program(*names):
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    return found or sys.exit(f"missing: {names[-1]} (pip install sslyze; Debian: apt-get install testssl.sh)")

def sslyze(flags, server, pair):
    """Whether the profile is kept, and what is said of it."""
    ip, port = server.address
    command = [program(flags.sslyze), "--mozilla_config=intermediate", f"--certinfo_ca_file={pair.root}", f"{NAME}:{port}{{{ip}}}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    # What follows the name of the target is the verdict, and one line for each fault.
    said = done.stdout.split("COMPLIANCE AGAINST", 1)[-1].partition(f"{NAME}:{port}: ")[2].split("\n\n")[0]
    return done.returncode, " ".join(said.split()) or (done.stdout + done.stderr)[-1000:]

def testssl(flags, folder, server, pair):
    """All findings, by their severity."""
    ip, port = server.address
    out = folder / f"testssl-{port}.json"
    command = [program(flags.testssl, "testssl", "testssl.sh"), "--quiet", "--color", "0", "--warnings", "off", "--nodns", "min", "--add-ca", pair.root,
               "--ip", ip, "--jsonfile", out, f"{NAME}:{port}"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=900, env=os.environ | {"TERM": "dumb"}, stdin=subprocess.DEVNULL)
    if not out.exists():
        sys.exit(f"testssl.sh: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return json.loads(out.read_text())

def run(stack, folder, flags):
    authority = Authority(folder)
    relay = stack.enter_context(StatusPages(folder))
    rows, missed, details = [], [], {}
    for label, kind in (("P-256", EC), ("RSA-2048", RSA)):
        pair = authority.pair(label, kind)
        with door("balancer", flags, folder, relay, pair, 1000).wait() as server:
            code, said = sslyze(flags, server, pair)
            rows.append([label, "sslyze", "intermediate: " + ("compliant" if code == 0 else "**no**"), said])
            missed += [f"sslyze, {label}: {said}"] if code else []
            findings = testssl(flags, folder, server, pair)
        severe = [finding for finding in findings if finding["severity"] in SEVERE]
        low = [finding["id"] for finding in findings if finding["severity"] == "LOW"]
        told = "<br>".join(f"{finding['severity']} {finding['id']}: {finding['finding']}" for finding in severe)
        rows.append([label, "testssl.sh", f"{len(findings)} findings, {len(severe)} above LOW", told or f"LOW: {', '.join(low)}"])
        missed += [f"testssl.sh, {label}: {finding['id']}" for finding in severe]
        if len(findings) < 50:
            missed.append(f"testssl.sh, {label}: it ended early")
        details[label] = {"sslyze": said, "testssl": findings}
    return "Scanners", ["certificate", "by", "verdict", "in detail"], rows, missed, details
