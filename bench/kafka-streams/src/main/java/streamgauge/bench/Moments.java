package streamgauge.bench;

/** The exponentially weighted mean and variance of one series. */
record Moments(long count, double mean, double variance) {
    private static final double FADING = 0.01;

    static Moments of(double value) {
        return new Moments(1, value, 0);
    }

    Moments and(double value) {
        double delta = value - mean;
        return new Moments(count + 1, mean + FADING * delta, (1 - FADING) * (variance + FADING * delta * delta));
    }
}
