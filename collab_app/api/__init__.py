"""The rooms of the REST API, below `/api/rooms/`: for who may call the tool `collaboration`."""
