#!/bin/sh
# Ends the head when the package goes, not when it is replaced. Entries and settings stay.
set -e
case "${1:-}" in
  upgrade | 1) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
  systemctl disable --now cometd.service
fi
