#!/bin/sh
# After the files of tillbook-agent were laid: the account, its folder, the
# service. Called by dpkg (configure [OLD-VERSION], abort-...) and rpm (1, 2).
set -e
data=/var/lib/tillbook-agent

getent passwd tillbook >/dev/null ||
	useradd --system --user-group --no-create-home --home-dir $data --shell /usr/sbin/nologin tillbook
# Where the machine has a TPM, this group may use it: it keeps the agent's key.
! getent group tss >/dev/null || usermod --append --groups tss tillbook
[ -d $data ] || install -d -o tillbook -g tillbook -m 0700 $data
rm -f $data/drained # left by an uninstall: see preremove
[ ! -e /etc/tillbook/agent.yaml ] || chgrp tillbook /etc/tillbook/agent.yaml

[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
if [ "$1" = 1 ] || { [ "$1" = configure ] && [ -z "$2" ]; }; then
	systemctl enable --quiet tillbook-agent
	systemctl restart tillbook-agent
	if [ ! -e $data/identity.json ]; then
		echo "tillbook-agent is installed and waits: join with  tillbook-agent enroll JOIN-STRING"
	fi
else
	# Whoever stopped or disabled the service wants it so after an upgrade too.
	systemctl try-restart tillbook-agent
fi
