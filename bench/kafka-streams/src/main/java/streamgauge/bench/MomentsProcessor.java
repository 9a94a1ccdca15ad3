package streamgauge.bench;

import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** Keeps a mean and variance per series in a changelogged store. */
final class MomentsProcessor extends ContextualProcessor<String, Double, Void, Void> {
    static final String STORE = "moments";
    private static final String DID =
        "parsed, repartitioned by series; mean and variance per series in RocksDB with a cache and a changelog topic";

    private final Lap lap;
    private KeyValueStore<String, Moments> store;

    MomentsProcessor(Lap lap) {
        this.lap = lap;
    }

    @Override
    public void init(ProcessorContext<Void, Void> context) {
        super.init(context);
        store = context.getStateStore(STORE);
    }

    @Override
    public void process(Record<String, Double> record) {
        Moments known = store.get(record.key());
        store.put(record.key(), known == null ? Moments.of(record.value()) : known.and(record.value()));
        lap.add(DID);
    }
}
