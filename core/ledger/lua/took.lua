-- Counts one run of a stage. ARGV: stage, its bucket in the histogram, seconds.
redis.call('HINCRBY', P .. 'meters', ARGV[1] .. ' le ' .. ARGV[2], 1)
redis.call('HINCRBYFLOAT', P .. 'meters', ARGV[1] .. ' seconds', ARGV[3])
return 1
