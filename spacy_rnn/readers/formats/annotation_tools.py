"""Objects that Label Studio and Prodigy export."""

from typing import Any, Dict, Mapping, Optional, Tuple

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
