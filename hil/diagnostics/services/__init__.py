"""The services of the controller's diagnostic server, one file each."""
