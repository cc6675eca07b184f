"""The `eventsourcing` library's own test cases, unmodified, over JetStream on a real server.

One of its tests cannot hold here, and says so below: there is no process recorder.
"""

import gc
import os
from collections.abc import Iterator
from typing import ClassVar, cast
from uuid import uuid4

import pytest
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    ProcessRecorder,
    TrackingRecorder,
)
from eventsourcing.tests import application, persistence  # modules: pytest would collect the classes
from eventsourcing.utils import Environment, get_topic

from events.recorder import Factory
from events.recorder.recorders import JetStreamAggregateRecorder, JetStreamApplicationRecorder
from events.recorder.tracking import JetStreamTrackingRecorder
from tests.log_server import LogServer, started

MODULE = "events.recorder"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    log_server = started(tmp_path_factory.mktemp("recorder"))
    yield log_server
    log_server.kill()


@pytest.fixture(scope="class", autouse=True)
def settings(request: pytest.FixtureRequest, server: LogServer) -> None:
    request.cls.url = server.url.replace("nats://", "nats://admin:p-admin@")


class OnJetStream:
    """Makes each test a stream of its own."""

    url: ClassVar[str]

    def setUp(self) -> None:
        self.env = Environment(env=self.settings())
        super().setUp()  # type: ignore[misc]  # of the library's test case, which comes next

    def settings(self) -> dict[str, str]:
        stream = f"T{uuid4().hex}"
        return {"PERSISTENCE_MODULE": MODULE, "NATS_URL": self.url, "NATS_STREAM": stream}


class WithFactory(OnJetStream):
    def setUp(self) -> None:
        super().setUp()
        self.factory = cast(Factory, InfrastructureFactory.construct(self.env))

    def tearDown(self) -> None:
        self.factory.close()


class TestAggregateRecorder(WithFactory, persistence.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return self.factory.aggregate_recorder()


class TestSnapshotRecorder(WithFactory, persistence.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return self.factory.aggregate_recorder("snapshots")


class TestApplicationRecorder(
    WithFactory, persistence.ApplicationRecorderTestCase[JetStreamApplicationRecorder]
):
    def create_recorder(self) -> JetStreamApplicationRecorder:
        return cast(JetStreamApplicationRecorder, self.factory.application_recorder())

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestNonInterleavingNotificationIDs(WithFactory, persistence.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> ApplicationRecorder:
        return self.factory.application_recorder()


class TestTrackingRecorder(WithFactory, persistence.TrackingRecorderTestCase):
    def create_recorder(self) -> TrackingRecorder:
        return self.factory.tracking_recorder()


class OwnTrackingRecorder(JetStreamTrackingRecorder):
    """A subclass, as a user would write."""


class TestInfrastructureFactory(OnJetStream, persistence.InfrastructureFactoryTestCase[Factory]):
    def expected_factory_class(self) -> type[Factory]:
        return Factory

    def expected_aggregate_recorder_class(self) -> type[AggregateRecorder]:
        return JetStreamAggregateRecorder

    def expected_application_recorder_class(self) -> type[ApplicationRecorder]:
        return JetStreamApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[TrackingRecorder]:
        return JetStreamTrackingRecorder

    def tracking_recorder_subclass(self) -> type[TrackingRecorder]:
        return OwnTrackingRecorder

    def expected_process_recorder_class(self) -> type[ProcessRecorder]:
        raise NotImplementedError

    def test_create_process_recorder(self) -> None:
        """The library's test asks for a recorder; here it is refused, with the reason."""
        with pytest.raises(NotImplementedError, match="two streams"):
            self.factory.process_recorder()


class FromTheEnvironment(OnJetStream):
    """The library's application test cases take their settings from the environment."""

    def setUp(self) -> None:
        os.environ.update(self.settings())

    def tearDown(self) -> None:
        for name in self.settings():
            del os.environ[name]
        gc.collect()  # they leave applications to the garbage collector, which closes them


class TestExampleApplication(FromTheEnvironment, application.ExampleApplicationTestCase):
    expected_factory_topic = get_topic(Factory)


@pytest.mark.filterwarnings("default:'log' is deprecated")  # the library tests that it warns
class TestApplication(FromTheEnvironment, application.ApplicationTestCase):
    """The library's tests of an application."""
