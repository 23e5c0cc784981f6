#!/bin/sh
# Ends the guest when the package goes, not when it is replaced: its successor takes its place.
set -e
case "${1:-}" in
  upgrade | 1) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
  systemctl stop comet-guest.service || true
fi
case "${1:-}" in
  0) if command -v systemctl >/dev/null; then systemctl disable comet-guest.service || true; fi ;; # an RPM
esac
