"""Where the pipeline's Beam jobs run: on this machine, or on Flink, Spark or Dataflow."""
