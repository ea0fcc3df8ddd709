"""What ``e4hil compare`` drives and measures: this controller beside two baselines, in the manoeuvres of the standards.

Everything is driven in lockstep through the frames of the network and the lags of the actuators. A contender is the same
controller with other calibration values, in the same car; scenario and driver are the same for all of them.
"""
