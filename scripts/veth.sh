# To be sourced: a network namespace with the veth pair v0 and v1, both up, between which nothing flows by itself, and a
# directory for what is temporary. Both are gone when the script ends. Needs root and iproute2.
# "${inside[@]}" COMMAND runs a command in it.
net=portproof-$$
inside=(ip netns exec "$net")
temporary=$(mktemp -d)
ip netns add "$net"
trap 'ip netns delete "$net"; rm -r "$temporary"' EXIT
"${inside[@]}" sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6'
ip -n "$net" link add v0 type veth peer name v1
ip -n "$net" link set v0 up
ip -n "$net" link set v1 up
