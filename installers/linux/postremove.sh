#!/bin/sh
# After the files of tillbook-agent were removed. Only dpkg's purge deletes data,
# and only what preremove found to be stored by the collector.
set -e
data=/var/lib/tillbook-agent
case "$1" in
purge)
	if [ -e $data/drained ]; then
		rm -rf $data
	elif [ -d $data ]; then
		echo "$data is kept: it may hold unsent sales" >&2
	fi
	;;
esac
[ ! -d /run/systemd/system ] || systemctl daemon-reload
