#!/bin/sh
# What the guest has done to the machine stays. Purged, what it kept for itself goes, with the tokens in it.
set -e
case "${1:-}" in
  remove)
    if command -v deb-systemd-helper >/dev/null; then deb-systemd-helper mask comet-guest.service >/dev/null || true; fi
    ;;
  purge)
    if command -v deb-systemd-helper >/dev/null; then
      deb-systemd-helper purge comet-guest.service >/dev/null || true
      deb-systemd-helper unmask comet-guest.service >/dev/null || true
    fi
    rm -rf /var/lib/comet-guest /var/log/comet-guest.log
    ;;
esac
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
