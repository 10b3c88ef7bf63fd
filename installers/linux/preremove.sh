#!/bin/sh
# Before tillbook-agent is removed: not while sales are unsent, unless
# TILLBOOK_FORCE=1. Called by dpkg (remove, upgrade, ...) and rpm (0, 1).
set -e
data=/var/lib/tillbook-agent
case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac

sent() { tillbook-agent service uninstall --check; }
force=${TILLBOOK_FORCE:-}

if ! sent && [ "$force" != 1 ]; then
	echo "tillbook-agent stays installed. To remove it all the same and keep its data: TILLBOOK_FORCE=1" >&2
	exit 1
fi
running=
if [ -d /run/systemd/system ]; then
	systemctl is-active --quiet tillbook-agent && running=yes
	systemctl stop tillbook-agent
fi
# A sale may have come in while the service stopped.
if sent; then
	# Says to a later purge that everything in the folder is stored elsewhere.
	[ ! -d $data ] || touch $data/drained
elif [ "$force" != 1 ]; then
	[ -z "$running" ] || systemctl start tillbook-agent
	echo "tillbook-agent stays installed: sales came in that are unsent" >&2
	exit 1
else
	echo "unsent sales are kept in $data: install again to send them" >&2
fi
[ ! -d /run/systemd/system ] || systemctl disable --quiet tillbook-agent
