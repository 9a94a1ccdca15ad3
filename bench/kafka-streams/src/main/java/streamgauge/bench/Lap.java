package streamgauge.bench;

import java.util.concurrent.atomic.AtomicLong;

/** Counts records on all threads, times those after the warm-up, and ends the process with a JSON line when all are done. */
final class Lap {
    private final AtomicLong parsed = new AtomicLong();
    private final AtomicLong seen = new AtomicLong();
    private final long events;
    private final long warmUp;
    private volatile long beganNs;
    private volatile long ahead;

    Lap(long events, long warmUp) {
        this.events = events;
        this.warmUp = Math.max(1, warmUp);
    }

    /** Counts one record that is on its way to the repartition topic. */
    void addParsed() {
        parsed.incrementAndGet();
    }

    /** Counts one record that is done with. */
    void add(String did) {
        long now = seen.incrementAndGet();
        if (now == warmUp) {
            ahead = parsed.get() - now;
            beganNs = System.nanoTime();
        } else if (now == events) {
            double seconds = (System.nanoTime() - beganNs) / 1e9;
            System.out.printf(
                "{\"events\": %d, \"seconds\": %s, \"did\": \"%s\", \"parsed_ahead\": %d}%n",
                events - warmUp, seconds, did, ahead);
            System.out.flush();
            Runtime.getRuntime().halt(0);
        }
    }
}
