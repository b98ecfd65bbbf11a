#!/bin/sh
# What try.sh shows, run inside the sandbox; also a script to read.
set -eu

exec 2>&1 # one transcript, in order
bold='' plain=''
if [ -t 1 ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); fi

say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
show() { # print a command, then run it
	printf '$ %s\n' "$*"
	"$@"
}

export GIT_TERMINAL_PROMPT=0
cd # the sandbox's own home, where git is set up and az has alex@contoso.com signed in

say 'git asks msauth, which takes the sign-in that az has, once, and shares the token.'
show git clone https://contoso@dev.azure.com/contoso/hello/_git/hello
cd hello
show git log --oneline -3
date >visit.txt
git add visit.txt
show git commit --quiet -m 'Say hello'
show git push --quiet origin HEAD

say 'Another organisation in another tenant: its own token, found without asking you.'
cd ..
show git clone --quiet https://dev.azure.com/fabrikam/widgets/_git/widgets

if command -v msauth-token >/dev/null; then
	say 'The same cache answers kubectl and other exec plugins (the token is cut off here).'
	printf '$ msauth-token aks\n'
	msauth-token aks | cut -c 1-150
	if command -v kubectl >/dev/null; then
		show kubectl get namespaces
	fi
fi

if command -v msauth-run >/dev/null && command -v curl >/dev/null; then
	say 'And any command, with a token in its environment.'
	cat <<'COMMAND'
$ msauth-run -- sh -c 'curl -H "Authorization: Bearer $AZURE_ACCESS_TOKEN" …/subscriptions'
COMMAND
	# shellcheck disable=SC2016 # the inner shell expands it
	msauth-run -- sh -c 'curl -fsS -H "Authorization: Bearer $AZURE_ACCESS_TOKEN" \
		"https://management.azure.com/subscriptions?api-version=2022-12-01"' | cut -c 1-150
fi

say 'How long an answer from the cache takes, beside a Python that does nothing.'
python -I - <<'PYTHON'
import statistics, subprocess, sys, time

def milliseconds(command):
    question = b"protocol=https\nhost=dev.azure.com\npath=contoso/hello/_git/hello\n\n"
    start = time.perf_counter()
    subprocess.run(command, input=question, stdout=subprocess.DEVNULL, check=True)
    return 1000 * (time.perf_counter() - start)

helper = ["git-credential-msauth", "get"]
nothing = [sys.executable, "-c", "pass"]
pairs = [(milliseconds(helper), milliseconds(nothing)) for _ in range(15)]
print(f"git-credential-msauth get   {statistics.median(a for a, _ in pairs):6.1f} ms")
print(f"python -c pass              {statistics.median(b for _, b in pairs):6.1f} ms")
PYTHON

say 'What the sandbox was asked in all this: one token request per tenant and resource.'
python -I - <<'PYTHON'
import json, os, urllib.request

request = urllib.request.Request(
    os.environ["MSAUTH_SANDBOX_URL"] + "/_sandbox/stats",
    headers={"X-Sandbox-Key": os.environ["MSAUTH_SANDBOX_KEY"]},
)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
stats = json.load(opener.open(request))
for scope, count in sorted(stats["scopes"].items()):
    print(f"{count} x {scope}")
PYTHON
