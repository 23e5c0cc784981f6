#!/bin/sh
# Takes the place of the older tools and starts the guest. What they have left, such as the blocks in files and the marks of scripts that
# ran, stays: the guest goes on from there.
set -e
running() { [ -d /run/systemd/system ]; }
for unit in neuca-guest-tools.service neucad.service hostkeyd.service; do
  if running; then systemctl disable --now "$unit" >/dev/null 2>&1 || true; fi
  if command -v deb-systemd-helper >/dev/null; then deb-systemd-helper purge "$unit" >/dev/null || true; fi
done
if running; then systemctl daemon-reload; fi
case "${1:-}" in
  configure) # Debian
    if command -v deb-systemd-helper >/dev/null; then
      deb-systemd-helper unmask comet-guest.service >/dev/null || true
      if deb-systemd-helper --quiet was-enabled comet-guest.service; then
        deb-systemd-helper enable comet-guest.service >/dev/null || true
      else
        deb-systemd-helper update-state comet-guest.service >/dev/null || true
      fi
    fi
    ;;
  1) # the first installation of an RPM
    if command -v systemctl >/dev/null; then systemctl enable comet-guest.service || true; fi
    ;;
esac
if running; then
  if systemctl is-enabled --quiet comet-guest.service; then systemctl restart comet-guest.service || true; fi
fi
