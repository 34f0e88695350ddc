-- Before reading: reservations that are over do not count. KEYS: leases. ARGV: prefix of reservations, now.
sweep(KEYS[1], ARGV[1], ARGV[2])
return 1
