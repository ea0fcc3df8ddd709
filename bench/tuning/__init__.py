"""The search for calibration values by many drives of the virtual car, on some cores or on a cluster; and maps of cars."""
