package streamgauge.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;

/** Reads a run event with Jackson's streaming parser, and sends its duration on under its pipeline's name. */
final class ParseProcessor extends ContextualProcessor<byte[], byte[], String, Double> {
    private static final JsonFactory JSON = new JsonFactory();

    private final Lap lap;

    ParseProcessor(Lap lap) {
        this.lap = lap;
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        String pipeline = null;
        double durationMs = Double.NaN;
        long timeMs = record.timestamp();
        try (JsonParser parser = JSON.createParser(record.value())) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                parser.nextToken();
                switch (name) {
                    case "pipeline" -> pipeline = parser.getText();
                    case "duration_ms" -> durationMs = parser.getDoubleValue();
                    case "time" -> timeMs = parser.getLongValue();
                    default -> parser.skipChildren();
                }
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        lap.addParsed();
        context().forward(new Record<>(pipeline, durationMs, timeMs));
    }
}
