#!/bin/sh
# Makes the user, and restarts a head that was running. A first start is the operator's, once the settings are looked at.
set -e
if command -v systemd-sysusers >/dev/null; then
  systemd-sysusers cometd.conf
elif ! getent passwd cometd >/dev/null; then
  useradd --system --user-group --home-dir /var/lib/cometd --no-create-home --shell /usr/sbin/nologin cometd
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl try-restart cometd.service
fi
