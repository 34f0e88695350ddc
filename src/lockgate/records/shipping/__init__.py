"""From the journal into the store: segments, acknowledged offsets, back-pressure, one shipper for a folder."""
