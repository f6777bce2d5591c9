"""uvicorn's side of a connection, made safe against peers that stall, flood, do not read, or are gone."""
