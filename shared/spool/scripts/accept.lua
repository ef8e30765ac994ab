-- ARGV: id, envelope, content, size, event. Returns 1, or 0 when the message was here already.
return accept(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], seconds_now())
