"""What all viewers share, made once per process."""

import atexit
from datetime import tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from gustbed_core.settings import MqttSettings, SiteSettings, load
from gustbed_dashboard.cloud.client import connect
from gustbed_dashboard.cloud.drift_reports import DriftReader
from gustbed_dashboard.cloud.reader import CloudReader
from gustbed_dashboard.settings import (
    DashboardSettings,
    EdgeSettings,
    HomeSettings,
    drift_folder,
)
from gustbed_dashboard.site.client import SiteClient, make_site_client

STOP_SECONDS = 3.0


@st.cache_resource(show_spinner=False)
def site_client() -> SiteClient:
    """The live site. Raises ``GustbedError`` naming a variable that is wrong."""
    made = make_site_client(load(SiteSettings), load(MqttSettings), load(EdgeSettings).url)
    made.start()
    atexit.register(made.stop, STOP_SECONDS)
    return made


@st.cache_resource(show_spinner=False)
def cloud() -> CloudReader:
    """The cloud, read in the background."""
    reader = CloudReader(connect)
    reader.start()
    atexit.register(reader.stop, 0.0)
    return reader


@st.cache_resource(show_spinner=False)
def drift() -> DriftReader:
    """The drift reports. Raises ``GustbedError`` naming a variable that is wrong."""
    return DriftReader(drift_folder(load(DashboardSettings), load(HomeSettings)))


def viewer_zone() -> tzinfo | None:
    """The browser's time zone; None means this machine's."""
    name = st.context.timezone
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None
