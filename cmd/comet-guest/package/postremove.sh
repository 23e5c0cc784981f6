#!/bin/sh
# What the guest has done to the machine stays. Purged, what it kept for itself goes, with the tokens in it, and what kept others from its
# network interfaces.
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
    rm -f /etc/systemd/network/05-comet-guest-*.network /etc/NetworkManager/conf.d/90-comet-guest.conf
    if [ -e /run/systemd/netif/state ]; then networkctl reload || true; fi
    if [ -d /run/NetworkManager ]; then nmcli general reload conf || true; fi
    ;;
esac
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
