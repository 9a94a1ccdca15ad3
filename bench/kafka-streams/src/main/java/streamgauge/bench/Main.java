package streamgauge.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.DoubleDeserializer;
import org.apache.kafka.common.serialization.DoubleSerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.Stores;

/**
 * Runs one topology over the recorded topic and prints one JSON line.
 *
 * <p>Arguments: SERVERS TOPIC EVENTS WARM_UP, then moments or forest, the repartition topic, the processing guarantee
 * and the number of threads.
 */
public final class Main {
    private static final int COMMIT_INTERVAL_MS_AT_LEAST_ONCE = 5_000;
    private static final long CACHE_BYTES = 64L << 20;

    private Main() {}

    public static void main(String[] args) throws IOException {
        String topic = args[1];
        Lap lap = new Lap(Long.parseLong(args[2]), Long.parseLong(args[3]));
        boolean forest = args[4].equals("forest");
        Topology topology = forest ? forest(topic, args[5], lap) : moments(topic, args[5], lap);
        KafkaStreams streams = new KafkaStreams(topology, settings(args[0], topic, args[6], args[7]));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
    }

    private static Topology moments(String topic, String repartitioned, Lap lap) {
        return repartitioning(topic, repartitioned, lap)
            .addProcessor("moments", () -> new MomentsProcessor(lap), "by-series")
            .addStateStore(
                Stores.keyValueStoreBuilder(
                        Stores.persistentKeyValueStore(MomentsProcessor.STORE), Serdes.String(), new MomentsSerde())
                    .withCachingEnabled(),
                "moments");
    }

    private static Topology forest(String topic, String repartitioned, Lap lap) {
        return repartitioning(topic, repartitioned, lap)
            .addProcessor("forest", () -> new ForestProcessor(lap), "by-series");
    }

    private static Topology repartitioning(String topic, String repartitioned, Lap lap) {
        return new Topology()
            .addSource("events", Serdes.ByteArray().deserializer(), Serdes.ByteArray().deserializer(), topic)
            .addProcessor("parse", () -> new ParseProcessor(lap), "events")
            .addSink("to-series", repartitioned, new StringSerializer(), new DoubleSerializer(), "parse")
            .addSource("by-series", new StringDeserializer(), new DoubleDeserializer(), repartitioned);
    }

    private static Properties settings(String servers, String topic, String guarantee, String threads)
            throws IOException {
        Path folder = Files.createTempDirectory("bench-kafka-streams-");
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "kafka-streams-" + topic + "-" + ProcessHandle.current().pid());
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, servers);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, folder.toString());
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, guarantee);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, threads);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, CACHE_BYTES);
        if (guarantee.equals(StreamsConfig.AT_LEAST_ONCE)) {
            settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, COMMIT_INTERVAL_MS_AT_LEAST_ONCE);
        }
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 * 1024);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 100);
        return settings;
    }
}
