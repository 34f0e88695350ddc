"""Records at rest: how they are shipped from the journal, kept, found, summed up and forgotten.

``store`` is the contract that every engine keeps; ``embedded`` is the engine for one machine. ``query`` is the one
language and the one filter tree of all readers, ``bodies`` keeps requests and answers, ``redaction`` is the one place
that decides what may touch a disk, ``shipping`` brings journal and store together. Everything here blocks: callers on
an event loop use a thread.
"""
