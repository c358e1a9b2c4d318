"""Objects that annotation tools export, and those that they import."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

#: the values of an object, None if it is left out, and a problem, "" if there is none
Found = Tuple[Optional[Dict[str, Any]], str]


def read_label_studio(record: Mapping[str, Any]) -> Found:
    """Read a task of Label Studio's JSON export. Entities are in "spans", choices and numbers have
    the names that the labeling interface gives them.

    record (Mapping[str, Any]): The task.
    RETURNS (Found): The values, and a problem.
    """
    annotations = record.get("annotations") or ([record] if record.get("result") else [])
    finished = [each for each in annotations if not each.get("was_cancelled")]
    if not finished:
        return None, "texts without a finished annotation, left out"
    row: Dict[str, Any] = {**record["data"], "spans": []}
    for result in finished[0]["result"]:
        value, name = result.get("value", {}), result.get("from_name", "label")
        if "labels" in value and "start" in value:
            row["spans"].append([value["start"], value["end"], value["labels"][0]])
        elif "choices" in value:
            row[name] = value["choices"]
        elif "taxonomy" in value:
            row[name] = [" / ".join(path) for path in value["taxonomy"]]
        elif "text" in value:
            texts = value["text"]
            row[name] = texts if isinstance(texts, str) else "\n".join(texts)
        else:
            row[name] = value.get("number", value.get("rating"))
    more = len(finished) > 1
    return row, "texts with several annotations, of which the first is read" if more else ""


def read_prodigy(record: Mapping[str, Any]) -> Found:
    """Read an example of Prodigy. Entities are in "spans", the values of labels in "cats".

    record (Mapping[str, Any]): The example.
    RETURNS (Found): The values, and a problem.
    """
    answer = record.get("answer", "accept")
    row: Dict[str, Any] = {"text": record["text"]}
    if answer == "ignore":
        return None, "ignored examples, left out"
    if "options" in record:
        chosen = record.get("accept", [])
        row["cats"] = {str(o["id"]): float(o["id"] in chosen) for o in record["options"]}
    elif isinstance(record.get("label"), str) and not record.get("spans"):
        # A rejected label does not hold.
        row["cats"] = {record["label"]: float(answer == "accept")}
        return row, ""
    else:
        row["spans"] = record.get("spans", [])
    if answer != "accept":
        return None, "rejected examples, left out"
    return row, ""


@dataclass(frozen=True)
class Suggestion:
    """Labels of a text that an annotator is to correct.

    spans (Sequence[Tuple[int, int, str]]): The first character, the one after the last and the
        label of each entity.
    options (Sequence[str]): The labels that a text can have; none if only entities are labeled.
    chosen (Sequence[str]): Those that it has.
    """

    spans: Sequence[Tuple[int, int, str]] = ()
    options: Sequence[str] = ()
    chosen: Sequence[str] = ()


def write_plain(text: str, meta: Dict[str, Any], suggestion: Suggestion) -> Dict[str, Any]:
    """Write a task without a suggestion, as all three tools read it.

    text (str): The text.
    meta (Dict[str, Any]): What else is known of it.
    suggestion (Suggestion): Not written.
    RETURNS (Dict[str, Any]): The task.
    """
    return {"text": text, "meta": meta}


def write_prodigy(text: str, meta: Dict[str, Any], suggestion: Suggestion) -> Dict[str, Any]:
    """Write a task of Prodigy; see `write_plain`."""
    if suggestion.options:
        options = [{"id": label, "text": label} for label in suggestion.options]
        return {"text": text, "options": options, "accept": [*suggestion.chosen], "meta": meta}
    spans = [{"start": start, "end": end, "label": label} for start, end, label in suggestion.spans]
    return {"text": text, "spans": spans, "meta": meta}


def write_doccano(text: str, meta: Dict[str, Any], suggestion: Suggestion) -> Dict[str, Any]:
    """Write an example of doccano; see `write_plain`."""
    spans = [[*span] for span in suggestion.spans]
    return {"text": text, "label": [*suggestion.chosen] if suggestion.options else spans, **meta}


def write_label_studio(text: str, meta: Dict[str, Any], suggestion: Suggestion) -> Dict[str, Any]:
    """Write a task of Label Studio, whose interface calls the text "text" and labels or choices
    "label"; see `write_plain`."""
    names = {"from_name": "label", "to_name": "text"}
    if suggestion.options:
        result = [{**names, "type": "choices", "value": {"choices": [*suggestion.chosen]}}]
    else:
        result = [
            {
                **names,
                "type": "labels",
                "value": {"start": start, "end": end, "text": text[start:end], "labels": [label]},
            }
            for start, end, label in suggestion.spans
        ]
    return {"data": {"text": text, **meta}, "predictions": [{"result": result}]}


#: the functions that write tasks, by the name of a tool; "" for any
WRITERS: Dict[str, Callable[[str, Dict[str, Any], Suggestion], Dict[str, Any]]] = {
    "": write_plain,
    "prodigy": write_prodigy,
    "doccano": write_doccano,
    "label-studio": write_label_studio,
}
