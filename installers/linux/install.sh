#!/bin/sh
# Installs the Tillbook agent and joins it to a collector:
#
#   sh install.sh --from FOLDER-OR-URL [--join STRING | --join-file FILE] [--proxy URL] [--key COSIGN.PUB]
#
# FOLDER-OR-URL holds the files of one release. The package is taken only if its
# SHA-256 sum is in SHA256SUMS, and SHA256SUMS only if COSIGN.PUB signed it, where
# a key is given. Run again, it upgrades; settings, identity and unsent sales stay.
# Exit code: 0 installed and connected, 1 installed but not connected (or not
# joined), 2 nothing was installed.
set -eu
umask 077

stop() {
	echo "install: $1" >&2
	exit 2
}
from='' join='' joinfile='' proxy='' key=''
while [ $# -gt 0 ]; do
	[ $# -ge 2 ] || stop "$1 wants a value"
	case $1 in
	--from) from=$2 ;;
	--join) join=$2 ;;
	--join-file) joinfile=$2 ;;
	--proxy) proxy=$2 ;;
	--key) key=$2 ;;
	*) stop "unknown option $1" ;;
	esac
	shift 2
done
[ -n "$from" ] || stop "say with --from where the release lies"
[ "$(id -u)" = 0 ] || stop "run as root (sudo sh install.sh ...)"
[ -z "$joinfile" ] || [ -r "$joinfile" ] || stop "cannot read $joinfile"
[ -d /run/systemd/system ] || stop "this system does not run systemd; unpack the .tar.gz instead (docs/install.md)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fetch() { # fetch NAME into $work
	case $from in
	https://*) if command -v curl >/dev/null; then
		curl -fsS --proto '=https' --max-time 600 ${proxy:+--proxy "$proxy"} -o "$work/$1" "$from/$1"
	else
		https_proxy=${proxy:-${https_proxy:-}} wget -q -T 60 -O "$work/$1" "$from/$1"
	fi || stop "cannot fetch $1 from $from" ;;
	*://*) stop "$from: only https" ;;
	*) cp "$from/$1" "$work/$1" 2>/dev/null || stop "there is no $1 in $from" ;;
	esac
}

case $(uname -m) in
x86_64) arch=amd64 ;;
aarch64) arch=arm64 ;;
*) stop "there is no package for $(uname -m)" ;;
esac
if command -v dpkg >/dev/null; then kind=deb; elif command -v rpm >/dev/null; then kind=rpm; else stop "neither dpkg nor rpm is here"; fi

fetch SHA256SUMS
if [ -n "$key" ]; then
	command -v cosign >/dev/null || stop "--key needs cosign"
	fetch SHA256SUMS.sig
	cosign verify-blob --insecure-ignore-tlog --key "$key" --signature "$work/SHA256SUMS.sig" "$work/SHA256SUMS" || stop "SHA256SUMS is not signed by $key"
	echo "signature ok: $key"
else
	echo "signature not checked: no --key was given"
fi
package=$(sed -n "s/^[0-9a-f]\{64\}  \(tillbook-agent_[A-Za-z0-9.~+_-]*_$arch\.$kind\)\$/\1/p" "$work/SHA256SUMS")
case $package in
'') stop "SHA256SUMS lists no $kind for $arch" ;;
*"
"*) stop "SHA256SUMS lists more than one $kind for $arch" ;;
esac
fetch "$package"
(cd "$work" && grep "  $package\$" SHA256SUMS | sha256sum -c --status) || stop "$package is not what SHA256SUMS says: it was damaged or changed"
echo "checksum ok: $package"

case $kind in
deb) DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i "$work/$package" ;;
rpm) rpm -U --replacepkgs "$work/$package" ;;
esac >&2 || stop "the package was not installed"
echo "installed: $(tillbook-agent --version)"

if [ -n "$join" ]; then
	joinfile=$work/join
	printf '%s\n' "$join" >"$joinfile"
fi
tillbook-agent service install ${joinfile:+--join-file "$joinfile"} ${proxy:+--proxy "$proxy"} || exit 1
[ -z "$proxy" ] || systemctl restart tillbook-agent # it reads its settings when it starts
[ -e /var/lib/tillbook-agent/identity.json ] || { echo "not joined yet: tillbook-agent enroll JOIN-STRING"; exit 1; }

# The proof: the running service says that the collector knows it.
tries=30
until tillbook-agent status --json 2>/dev/null | grep -q '"connected": true'; do
	tries=$((tries - 1))
	[ $tries -gt 0 ] || { tillbook-agent status || true; echo "not connected yet; the service keeps trying"; exit 1; }
	sleep 1
done
tillbook-agent status
