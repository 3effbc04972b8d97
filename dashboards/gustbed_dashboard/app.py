"""Navigation and nothing else: what ``python -m gustbed_dashboard`` serves."""

import streamlit as st

from gustbed_dashboard.components import theme
from gustbed_dashboard.views import faults, fleet, models, turbine


def main() -> None:
    """Draw the frame and the page that the address names."""
    st.set_page_config(page_title="Gustbed", page_icon=str(theme.FAVICON), layout="wide")
    st.logo(str(theme.LOGO), size="medium")
    st.html(f"<style>{theme.root_variables()}</style>")
    st.html(theme.STYLES)
    one_turbine = st.Page(
        turbine.page, title="Turbine", icon=":material/wind_power:", url_path="turbine"
    )

    the_fleet = st.Page(
        lambda: fleet.page(one_turbine),
        title="Fleet",
        icon=":material/grid_view:",
        url_path="",
        default=True,
    )
    pages = [
        the_fleet,
        # Streamlit serves its default page at the root alone.
        st.Page(
            lambda: st.switch_page(the_fleet), title="Fleet", url_path="fleet", visibility="hidden"
        ),
        one_turbine,
        st.Page(models.page, title="Models", icon=":material/model_training:", url_path="models"),
        st.Page(faults.page, title="Faults", icon=":material/bolt:", url_path="faults"),
    ]
    st.navigation(pages, position="top").run()


main()
