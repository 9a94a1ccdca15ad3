"""Publishing texts of one length by the array: a publisher that takes little of the machine from what is measured.

Uses `rd_kafka_produce_batch` of the librdkafka that confluent-kafka is linked with:
https://github.com/confluentinc/librdkafka/blob/v2.11.0/src/rdkafka.h
"""

import ctypes
import time
from collections.abc import Mapping
from ctypes import c_char_p, c_int, c_int32, c_size_t, c_void_p
from typing import Final

import confluent_kafka.cimpl
import numpy as np

from stream.message_columns import Message

_PRODUCER: Final = 0
_COPY: Final = 2
_TEXT_BYTES: Final = 512
_FULL_WAIT_S: Final = 0.005
_MESSAGE: Final = np.dtype(Message)


class BulkProducer:
    """Writes to one topic. Must be closed.

    Args:
        properties: of librdkafka.
        topic: where to write.

    Raises:
        ValueError: librdkafka does not take a property.
    """

    def __init__(self, properties: Mapping[str, object], topic: str) -> None:
        self._library = ctypes.CDLL(confluent_kafka.cimpl.__file__)
        self._declare()
        self._handle = self._new(properties)
        self._topic = self._library.rd_kafka_topic_new(self._handle, topic.encode(), None)

    def send(self, texts: np.ndarray, partition: int) -> None:
        """Write texts (a row of bytes each), waiting while the queue is full."""
        messages = np.zeros(len(texts), _MESSAGE)
        texts = np.ascontiguousarray(texts)
        messages["payload"] = texts.ctypes.data + np.arange(len(texts)) * texts.strides[0]
        messages["len"] = texts.shape[1]
        while len(messages):
            self._library.rd_kafka_produce_batch(
                self._topic, partition, _COPY, messages.ctypes.data, len(messages)
            )
            messages = np.ascontiguousarray(messages[messages["err"] != 0])
            messages["err"] = 0
            self._library.rd_kafka_poll(self._handle, 0)
            if len(messages):
                time.sleep(_FULL_WAIT_S)

    def close(self, timeout_s: float) -> None:
        """Wait for what is queued, and free everything."""
        self._library.rd_kafka_flush(self._handle, int(timeout_s * 1000))
        self._library.rd_kafka_topic_destroy(self._topic)
        self._library.rd_kafka_destroy(self._handle)

    def _declare(self) -> None:
        signatures = {
            "rd_kafka_conf_new": (c_void_p, ()),
            "rd_kafka_conf_set": (c_int, (c_void_p, c_char_p, c_char_p, c_char_p, c_size_t)),
            "rd_kafka_new": (c_void_p, (c_int, c_void_p, c_char_p, c_size_t)),
            "rd_kafka_topic_new": (c_void_p, (c_void_p, c_char_p, c_void_p)),
            "rd_kafka_produce_batch": (c_int, (c_void_p, c_int32, c_int, c_void_p, c_int)),
            "rd_kafka_poll": (c_int, (c_void_p, c_int)),
            "rd_kafka_flush": (c_int, (c_void_p, c_int)),
            "rd_kafka_topic_destroy": (None, (c_void_p,)),
            "rd_kafka_destroy": (None, (c_void_p,)),
        }
        for name, (result, arguments) in signatures.items():
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, arguments

    def _new(self, properties: Mapping[str, object]) -> int:
        conf, text = self._library.rd_kafka_conf_new(), ctypes.create_string_buffer(_TEXT_BYTES)
        for name, value in properties.items():
            if self._library.rd_kafka_conf_set(conf, name.encode(), str(value).encode(), text, _TEXT_BYTES):
                raise ValueError(text.value.decode())
        handle: int | None = self._library.rd_kafka_new(_PRODUCER, conf, text, _TEXT_BYTES)
        if handle is None:
            raise ValueError(text.value.decode())
        return handle
