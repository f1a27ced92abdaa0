// What tests type into the embedded guest's shell to wait for what goes on beside it.

/** Until it has its address, its route and, what comes last, its name server by DHCP. */
export const HAS_NETWORK = "until grep -qs ^nameserver /etc/resolv.conf; do sleep 1; done";

/** Until it has an address by router advertisements that nobody else has (RFC 4862, 5.4). */
export const HAS_IP6 = "until ip -6 addr show dev eth0 | grep fec0 | grep -qv tentative; do sleep 1; done";

/** Ends the DHCP client that is started beside the shell: it takes away what addresses there are when it starts. */
export const NO_DHCP =
  "until killall udhcpc 2>/dev/null; do sleep 1; done; while pidof udhcpc default.script >/dev/null; do sleep 1; done";
