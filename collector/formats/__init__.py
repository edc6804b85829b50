"""Reads journal reports and copies: bytes in, values out.

Rule: no I/O, no recursion on input, and nothing raised because of what a
message contains.  Bytes are found by offset and never rewritten; whatever is
read here is an index of bytes that are stored anyway.

    unwrap      what a raw message is: the only door for the rest of the program
    exchange    marked journal reports
    bounce      journal reports inside non-delivery reports
    copies      plain copies, and which header of which server is believed
    trust       how far the origin of a message could be confirmed
    unite       who got a message, over all reports of it
    envelope    the lines of a report
    parts       multiparts by offset           header   header fields
    transfer    transfer encodings             text     charsets, encoded words
    view        windows over the raw message   limits   how much is read
    flags       the remarks, and what each of them means
"""
