"""Reports that people read and measurements that other tools open; everything here needs the extra ``report``."""
