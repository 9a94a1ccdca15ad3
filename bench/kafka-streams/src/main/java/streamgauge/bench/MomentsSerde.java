package streamgauge.bench;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serializer;

/** Moments as 24 bytes. */
final class MomentsSerde implements Serde<Moments> {
    private static final int BYTES = 3 * Long.BYTES;

    @Override
    public Serializer<Moments> serializer() {
        return (topic, moments) -> moments == null ? null : ByteBuffer.allocate(BYTES)
            .putLong(moments.count()).putDouble(moments.mean()).putDouble(moments.variance()).array();
    }

    @Override
    public Deserializer<Moments> deserializer() {
        return (topic, bytes) -> {
            if (bytes == null) {
                return null;
            }
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            return new Moments(buffer.getLong(), buffer.getDouble(), buffer.getDouble());
        };
    }
}
