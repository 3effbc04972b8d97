"""Navigation and nothing else: what ``python -m gustbed_dashboard`` serves."""

from collections.abc import Callable

import streamlit as st

from gustbed_dashboard.components import theme
from gustbed_dashboard.views import faults, fleet, models, site_picker, turbine
from gustbed_dashboard.views.site_picker import ChosenSite


def main() -> None:
    """Draw the frame, and the page that the address names of the site that is chosen."""
    st.set_page_config(page_title="Gustbed", page_icon=str(theme.FAVICON), layout="wide")
    st.logo(str(theme.LOGO), size="medium")
    st.html(f"<style>{theme.root_variables()}</style>")
    st.html(theme.STYLES)
    site = site_picker.choose()

    def of_site(page: Callable[[ChosenSite], None]) -> Callable[[], None]:
        """Without a site there is the frame alone."""
        return lambda: page(site) if site is not None else None

    one_turbine = st.Page(
        of_site(turbine.page), title="Turbine", icon=":material/wind_power:", url_path="turbine"
    )

    def the_fleet(site: ChosenSite) -> None:
        fleet.page(site, one_turbine)

    pages = [
        st.Page(
            of_site(the_fleet),
            title="Fleet",
            icon=":material/grid_view:",
            url_path="",
            default=True,
        ),
        # Streamlit serves its default page at the root alone, and switches no page while the
        # frame keeps something in the address.
        st.Page(of_site(the_fleet), title="Fleet", url_path="fleet", visibility="hidden"),
        one_turbine,
        st.Page(
            of_site(models.page),
            title="Models",
            icon=":material/model_training:",
            url_path="models",
        ),
        st.Page(of_site(faults.page), title="Faults", icon=":material/bolt:", url_path="faults"),
    ]
    st.navigation(pages, position="top").run()


main()
