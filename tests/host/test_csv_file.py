# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from secondpass.datasets.csv_file import LISTED, Columns, read_table
from secondpass.errors import DataError

GOOD = "ax,ay,state\n1,2,run\n3,4,stop\n5,6,run\n7,8,stop\n"
LABELLED = Columns("state")


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "rows.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refusal(path, columns=LABELLED, **options):
    with pytest.raises(DataError) as caught:
        read_table(path, columns, **options)
    return str(caught.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_rows_are_read_whatever_separates_them(write, delimiter, ending):
    text = "\ufeff" + GOOD.replace(",", delimiter).replace("\n", ending)
    table = read_table(write(text), LABELLED)
    assert table.columns == ("ax", "ay")
    np.testing.assert_array_equal(table.features, [[1, 2], [3, 4], [5, 6], [7, 8]])
    assert table.labels == ("run", "stop", "run", "stop")
    assert table.lines == (2, 3, 4, 5)


def test_columns_have_roles_and_an_order(write):
    text = "time,state,b,who,a\n12:00, run ,1e-3,anna,-2\n12:01,run,.5,ben, +4 \n"
    path = write(text)
    columns = Columns("state", "who", ("time",))
    table = read_table(path, columns)
    assert (table.columns, table.labels) == (("b", "a"), ("run", "run"))
    assert table.groups == ("anna", "ben")
    np.testing.assert_array_equal(table.features, [[0.001, -2], [0.5, 4]])
    known = read_table(path, Columns(features=("a", "b")))
    np.testing.assert_array_equal(known.features, [[-2, 0.001], [4, 0.5]])
    assert known.labels == ("", "")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("1,2", "2 values, the header has 3"),
        ("1,2,run,4", "4 values, the header has 3"),
        (",2,run", "ax is empty"),
        ("1,n/a,run", "ay is 'n/a', which is no number"),
        ("1,nan,run", "ay is 'nan', which is no number to learn from"),
        ("inf,2,run", "ax is 'inf', which is no number to learn from"),
        ("1,-1e31,run", "ay is '-1e31', which is no number to learn from"),
        ("1_000,2,run", "ax is '1_000', which is no number"),
        ("x,,run", "ax is 'x', which is no number and ay is empty"),
        ("x,,", "ax is 'x', which is no number, and 2 values more"),
        ("1,2,", "state is empty"),
        ("1,2,rum", "state is 'rum' in no other row"),
    ],
)
def test_a_bad_row_is_told_by_its_line(write, row, problem):
    """Behind a blank line and a row of two lines, which count."""
    text = GOOD + '\n9,9,"a\nb"\n9,9,"a\nb"\n' + row + "\n"
    message = refusal(write(text))
    assert "1 of 7 rows cannot be used" in message
    assert message.splitlines()[1:] == [f"  line 11: {problem}"]


def test_unknown_labels_are_told(write):
    message = refusal(write(GOOD + "1,1,fly\n"), labels=("run", "stop"))
    assert message.endswith("line 6: state is 'fly', which is none of run, stop")
    assert "line 3: state is 'stop'" in refusal(write(GOOD), labels=("run",))


def test_a_label_may_be_a_number_or_any_text(write):
    text = "a,t\n1,0.5\n2,warm\n3,-1\n"
    assert "line 3: t is 'warm', which is no number" in refusal(
        write(text), Columns("t"), label_kind="number"
    )
    assert read_table(write(text), Columns("t"), label_kind="text").labels[1] == "warm"


def test_of_many_bad_rows_the_first_are_listed_and_all_counted(write):
    message = refusal(write(GOOD + "1,x,run\n" * 25)).splitlines()
    assert "25 of 29 rows" in message[0]
    assert "nothing was started" in message[0]
    assert message[1].strip() == "line 6: ay is 'x', which is no number"
    assert len(message) == 1 + LISTED + 1
    assert message[-1].strip() == "and 15 more"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["is empty"]),
        ("\n \n", ["is empty"]),
        ("a,state\n", ["no rows"]),
        ("ax,ax,state\n", ["line 1", "'ax'", "twice"]),
        ("ax,,state\n", ["line 1", "column 2", "no name"]),
        ("1,2,3\n4,5,6\n", ["no column 'state'", "1, 2, 3"]),
        ("state\nrun\n", ["no columns of features"]),
        ("when,ax,state\nmon,1,run\ntue,2,run\n", ["column 'when'", "--ignore when"]),
        ('a,state\n"1,run\n', ["line 2", "quotes"]),
        ("a,state\n1,r\xfcn\n".encode("latin-1"), ["line 2", "UTF-8"]),
    ],
)
def test_a_file_that_is_no_table_says_why(write, text, parts):
    message = refusal(write(text))
    assert "rows.csv" in message
    for part in parts:
        assert part in message


def test_a_header_of_numbers_is_no_header(write):
    assert "must name the columns" in refusal(write("1,2\n3,4\n"), Columns("1"))


@pytest.mark.parametrize(
    "columns",
    [Columns("x"), Columns("state", "x"), Columns("state", None, ("x",)), Columns(features=("x",))],
)
def test_a_missing_column_is_named_with_those_there_are(write, columns):
    message = refusal(write(GOOD), columns)
    assert "no column 'x'; it has ax, ay, state" in message


def test_a_missing_file(tmp_path):
    assert "No such file" in refusal(tmp_path / "none.csv")
    assert "cannot be read" in refusal(tmp_path)
