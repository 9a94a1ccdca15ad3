package streamgauge.bench;

import com.amazon.randomcutforest.config.ForestMode;
import com.amazon.randomcutforest.parkservices.ThresholdedRandomCutForest;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;

/** Keeps a Random Cut Forest per series in memory; storing its state would only slow it. */
final class ForestProcessor extends ContextualProcessor<String, Double, Void, Void> {
    private static final int SHINGLE = 8;
    private static final int TREES = 50;
    private static final String DID =
        "parsed, repartitioned by series; Random Cut Forest per series (50 trees, shingle 8), in memory";

    private final Lap lap;
    private final Map<String, ThresholdedRandomCutForest> forests = new HashMap<>();

    ForestProcessor(Lap lap) {
        this.lap = lap;
    }

    @Override
    public void process(Record<String, Double> record) {
        forests.computeIfAbsent(record.key(), key -> forest())
            .process(new double[] {record.value()}, record.timestamp());
        lap.add(DID);
    }

    private static ThresholdedRandomCutForest forest() {
        return ThresholdedRandomCutForest.builder()
            .dimensions(SHINGLE)
            .shingleSize(SHINGLE)
            .numberOfTrees(TREES)
            .forestMode(ForestMode.STANDARD)
            .parallelExecutionEnabled(false)
            .build();
    }
}
