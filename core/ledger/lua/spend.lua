-- Counts model calls that led to no stored analysis. ARGV: day, repository, tier, then the amounts (see `spend`).
spend(ARGV[1], ARGV[2], ARGV[3], 4)
return 1
