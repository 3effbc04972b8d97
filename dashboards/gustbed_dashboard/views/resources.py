"""What all viewers share, made once per process."""

import atexit
from collections.abc import Callable
from datetime import tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from gustbed_core.settings import MqttSettings, SiteSettings, load
from gustbed_core.turbine_types import load_types
from gustbed_dashboard.cloud.client import connect
from gustbed_dashboard.cloud.drift_reports import DriftReader
from gustbed_dashboard.cloud.reader import CloudReader
from gustbed_dashboard.settings import (
    DashboardSettings,
    EdgeSettings,
    HomeSettings,
    drift_folder,
)
from gustbed_dashboard.site.client import make_site_client
from gustbed_dashboard.site.clients import SiteClients, Sites, client_of

STOP_SECONDS = 3.0


@st.cache_resource(show_spinner=False)
def _watched() -> Callable[[], Sites]:
    site, directory = load(SiteSettings), load(DashboardSettings).sites_dir
    if directory is None:
        client = make_site_client(site, load(MqttSettings), load(EdgeSettings).url)
        client.start()
        atexit.register(client.stop, STOP_SECONDS)
        only = Sites({site.site: client})
        return lambda: only
    load_types(site.types_dir)  # a wrong file of one is told at once, whatever sites there are
    clients = SiteClients(directory, client_of)
    clients.look()
    clients.start()
    atexit.register(clients.stop, STOP_SECONDS)
    return clients.sites


def sites() -> Sites:
    """The live sites. Raises ``GustbedError`` naming a variable or a type's file that is wrong."""
    return _watched()()


@st.cache_resource(show_spinner=False)
def own_site() -> str:
    """The site of the environment."""
    return load(SiteSettings).site


@st.cache_resource(show_spinner=False)
def sites_come_and_go() -> bool:
    """Whether they are those of a directory."""
    return load(DashboardSettings).sites_dir is not None


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
