"""What a tester has to know of a control unit, as ODX 2.2 (ISO 22901-1) in a PDX file: made from the tables that it works by.

Each data identifier has a service that reads it, and one that writes it where it can be written; routines have one for each of
their steps; all other services one for each sub-function. What is not described to the last byte is a field of bytes at the end.
ODX knows whole numbers of 32 bits at most: one of 64 is a pair, the upper half and the value, which is all there is of most.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import odxtools
from odxtools.comparam import Comparam
from odxtools.comparaminstance import ComparamInstance
from odxtools.comparamspec import ComparamSpec
from odxtools.comparamsubset import ComparamSubset
from odxtools.complexcomparam import ComplexComparam
from odxtools.compumethods.compucategory import CompuCategory
from odxtools.compumethods.compuconst import CompuConst
from odxtools.compumethods.compuinternaltophys import CompuInternalToPhys
from odxtools.compumethods.compuscale import CompuScale
from odxtools.compumethods.identicalcompumethod import IdenticalCompuMethod
from odxtools.compumethods.limit import Limit
from odxtools.compumethods.texttablecompumethod import TexttableCompuMethod
from odxtools.database import Database
from odxtools.dataobjectproperty import DataObjectProperty
from odxtools.diagcodedtype import DiagCodedType
from odxtools.diagdatadictionaryspec import DiagDataDictionarySpec
from odxtools.diaglayercontainer import DiagLayerContainer
from odxtools.diaglayers.basevariant import BaseVariant
from odxtools.diaglayers.basevariantraw import BaseVariantRaw
from odxtools.diaglayers.diaglayertype import DiagLayerType
from odxtools.diaglayers.ecuvariant import EcuVariant
from odxtools.diaglayers.ecuvariantraw import EcuVariantRaw
from odxtools.diaglayers.protocol import Protocol
from odxtools.diaglayers.protocolraw import ProtocolRaw
from odxtools.diagnostictroublecode import DiagnosticTroubleCode
from odxtools.diagservice import DiagService
from odxtools.dtcdop import DtcDop
from odxtools.encoding import Encoding
from odxtools.endofpdufield import EndOfPduField
from odxtools.minmaxlengthtype import MinMaxLengthType
from odxtools.nameditemlist import NamedItemList
from odxtools.odxlink import DocType, OdxDocFragment, OdxLinkId, OdxLinkRef
from odxtools.odxtypes import DataType
from odxtools.parameters.codedconstparameter import CodedConstParameter
from odxtools.parameters.matchingrequestparameter import MatchingRequestParameter
from odxtools.parameters.parameter import Parameter
from odxtools.parameters.valueparameter import ValueParameter
from odxtools.parentref import ParentRef
from odxtools.physicaltype import PhysicalType
from odxtools.protstack import ProtStack
from odxtools.request import Request
from odxtools.response import Response, ResponseType
from odxtools.standardizationlevel import StandardizationLevel
from odxtools.standardlengthtype import StandardLengthType
from odxtools.structure import Structure
from odxtools.termination import Termination
from odxtools.text import Text
from odxtools.unit import Unit
from odxtools.unitspec import UnitSpec
from odxtools.usage import Usage

from hil.diagnostics.identifiers import WORD, DataIdentifier, labels_of
from hil.diagnostics.protocol import (
    NEGATIVE,
    P2_STAR_TIME,
    P2_TIME,
    POSITIVE,
    Code,
    Rule,
    Service,
)
from hil.diagnostics.routines import Routine
from hil.diagnostics.trouble_codes import TroubleCode
from hil.files import atomic_path

READ, WRITE, ROUTINE, CLEAR, CODES = 0x22, 0x2E, 0x31, 0x14, 0x19
BY_MASK, SNAPSHOT, EXTENDED_DATA, ALL = 0x02, 0x04, 0x06, 0x0A  # sub-functions of 0x19 that are described to their end
MICROSECOND = 1e-6  # [s] the unit of times in ODX


@dataclass(frozen=True)
class ControlUnit:
    """What is described."""

    name: str  # an identifier
    title: str
    request: int  # CAN identifiers
    response: int
    functional: int
    services: Iterable[Service]
    identifiers: Mapping[int, DataIdentifier]
    routines: Iterable[Routine]
    codes: Iterable[TroubleCode]


def write_pdx(path: Path, unit: ControlUnit) -> None:
    """Write the description of ``unit``. Raises UsageError if the file cannot be written."""
    database = describe(unit)
    with atomic_path(path) as temporary:
        odxtools.write_pdx_file(str(temporary), database)


def describe(unit: ControlUnit) -> Database:
    """The description of ``unit`` as odxtools has it in memory."""
    layer = _Layer(unit)
    database = Database()
    database.short_name = unit.name
    # odxtools has no other way to put these into a database that is not read from a file.
    database._comparam_subsets = NamedItemList([_transport_parameters(), _session_parameters()])
    database._comparam_specs = NamedItemList([_stack()])
    database._diag_layer_containers = NamedItemList([layer.container()])
    database.refresh()
    return database


def short_name(text: str) -> str:
    """``text`` as ODX allows it for a name."""
    return re.sub(r"\W+", "_", text).strip("_")


# --- one diagnostic layer -------------------------------------------------------------------------------------------------


@dataclass
class _Layer:
    """Collects the parts of one control unit's layer."""

    unit: ControlUnit
    services: list[DiagService] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)
    data: dict[str, DataObjectProperty] = field(default_factory=dict)
    units: dict[str, Unit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.documents = (OdxDocFragment(self.unit.name, DocType.CONTAINER),)
        self.codes = self._trouble_codes()
        self.listed, self.list = self._code_list()
        self.refusal = self._refused()
        for service in self.unit.services:
            self._describe(service)

    def identity(self, *parts: str) -> OdxLinkId:
        """A name of its own for a part."""
        return OdxLinkId(".".join((self.unit.name, *parts)), self.documents)

    def container(self) -> DiagLayerContainer:
        """The layer, below its protocol."""
        protocol = ProtocolRaw(
            variant_type=DiagLayerType.PROTOCOL, odx_id=self.identity("protocol"), short_name="UDS_on_CAN",
            comparam_spec_ref=OdxLinkRef(STACK, (OdxDocFragment(STACK, DocType.COMPARAM_SPEC),)), prot_stack_snref=STACK,
        )  # fmt: skip
        base = BaseVariantRaw(
            variant_type=DiagLayerType.BASE_VARIANT, odx_id=self.identity("base"), short_name=f"{self.unit.name}_base",
            diag_data_dictionary_spec=DiagDataDictionarySpec(
                data_object_props=NamedItemList(self.data.values()), dtc_dops=NamedItemList([self.codes]),
                structures=NamedItemList([self.listed]), end_of_pdu_fields=NamedItemList([self.list]),
                unit_spec=UnitSpec(units=NamedItemList(self.units.values())),
            ),
            diag_comms_raw=[*self.services], requests=NamedItemList(self.requests),
            positive_responses=NamedItemList(self.answers), global_negative_responses=NamedItemList([self.refusal]),
            parent_refs=[ParentRef(layer_ref=OdxLinkRef.from_id(protocol.odx_id))], comparam_refs=_values(self.unit),
        )  # fmt: skip
        variant = EcuVariantRaw(
            variant_type=DiagLayerType.ECU_VARIANT, odx_id=self.identity("variant"), short_name=self.unit.name,
            long_name=self.unit.title, parent_refs=[ParentRef(layer_ref=OdxLinkRef.from_id(base.odx_id))],
        )  # fmt: skip
        return DiagLayerContainer(
            odx_id=self.identity("container"), short_name=self.unit.name, long_name=self.unit.title,
            protocols=NamedItemList([Protocol(diag_layer_raw=protocol)]),
            base_variants=NamedItemList([BaseVariant(diag_layer_raw=base)]),
            ecu_variants=NamedItemList([EcuVariant(diag_layer_raw=variant)]),
        )  # fmt: skip

    # Services ------------------------------------------------------------------------------------------------------------

    def _describe(self, service: Service) -> None:
        if service.number == READ:
            for identifier in self.unit.identifiers.values():
                value = self._value(identifier)
                self._add(service, f"Read_{identifier.name}", identifier.description, _did(identifier), [], value)
        elif service.number == WRITE:
            for identifier in self.unit.identifiers.values():
                if identifier.write:
                    value = self._value(identifier)
                    self._add(service, f"Write_{identifier.name}", identifier.description, _did(identifier), value, [])
        elif service.number == ROUTINE:
            for routine in self.unit.routines:
                for sub, rule in service.sub_functions.items():
                    head = [_constant("sub_function", sub), _constant("routine", routine.number, 16)]
                    self._add(service, f"{_capital(rule.name)}_{routine.name}", routine.name, head, [], [self._rest("result")])
        elif service.number == CLEAR:
            self._add(service, service.name, "codes by their group or number", [], [self._number("group", 24)], [])
        else:
            if service.rule:
                self._describe_rule(service, None, service.rule)
            for sub, rule in service.sub_functions.items():
                self._describe_rule(service, sub, rule)

    def _describe_rule(self, service: Service, sub: int | None, rule: Rule) -> None:
        head = [] if sub is None else [_constant("sub_function", sub)]
        asked: list[Parameter] = [self._rest("parameters")] if rule.maximum_length > 1 + len(head) else []
        told: list[Parameter] = [self._rest("data")]
        if service.number == CODES:
            code = self._parameter("code", self.codes.odx_id)
            status, record = self._number("status", 8), self._number("record", 8)
            listed = [self._number("availability", 8), self._parameter("codes", self.list.odx_id)]
            if sub == BY_MASK:
                asked, told = [self._number("mask", 8)], listed
            elif sub == ALL:
                told = listed
            elif sub in (SNAPSHOT, EXTENDED_DATA):
                asked, told = [code, record], [code, status, self._rest("records")]
        name = service.name if sub is None else f"{service.name}_{_capital(rule.name)}"
        self._add(service, name, rule.name, head, asked, told)

    def _add(
        self, service: Service, name: str, title: str, head: list[Parameter], asked: list[Parameter], told: list[Parameter]
    ) -> None:
        """A service whose request and answer begin with the same ``head`` after its number."""
        name = short_name(name)
        number, answer_number = _constant("service", service.number), _constant("service", service.number + POSITIVE)
        request = Request(
            odx_id=self.identity("request", name), short_name=f"RQ_{name}", parameters=NamedItemList([number, *head, *asked])
        )
        answer = Response(
            odx_id=self.identity("answer", name), short_name=f"PR_{name}", response_type=ResponseType.POSITIVE,
            parameters=NamedItemList([answer_number, *head, *told]),
        )  # fmt: skip
        self.requests.append(request)
        self.answers.append(answer)
        self.services.append(
            DiagService(
                odx_id=self.identity("service", name), short_name=name, long_name=title, semantic=service.name,
                request_ref=OdxLinkRef.from_id(request.odx_id), pos_response_refs=[OdxLinkRef.from_id(answer.odx_id)],
            )
        )  # fmt: skip

    # Data ------------------------------------------------------------------------------------------------------------------

    def _value(self, identifier: DataIdentifier) -> list[Parameter]:
        """The parameters of one identifier's value: one, or one for each element of an array."""
        if identifier.coding == "ascii":
            return [self._parameter("value", self._text(identifier.size))]
        if identifier.coding == "bytes":
            return [self._parameter("value", self._bytes(identifier.size))]
        count = identifier.size // WORD
        names = ["value"] if count == 1 else [f"value_{place}" for place in range(count)]
        if identifier.coding == "f8":
            real = self._real(identifier.unit)
            return [self._parameter(name, real) for name in names]
        labels = labels_of(identifier)
        lower = self._choice(labels.__name__, {int(label): label.name for label in labels}, 32) if labels else self._whole(32)
        halves = [(f"{name}_upper", self._whole(32, signed=True)) for name in names], [(name, lower) for name in names]
        return [self._parameter(name, data) for pair in zip(*halves, strict=True) for name, data in pair]

    def _parameter(self, name: str, data: OdxLinkId) -> Parameter:
        return ValueParameter(short_name=name, dop_ref=OdxLinkRef.from_id(data))

    def _number(self, name: str, bits: int) -> Parameter:
        return self._parameter(name, self._whole(bits))

    def _rest(self, name: str) -> Parameter:
        coded = MinMaxLengthType(base_data_type=DataType.A_BYTEFIELD, min_length=0, termination=Termination.END_OF_PDU)
        return self._parameter(name, self._property("rest", coded, DataType.A_BYTEFIELD))

    def _text(self, size: int) -> OdxLinkId:
        coded = StandardLengthType(
            base_data_type=DataType.A_ASCIISTRING, base_type_encoding=Encoding.ISO_8859_1, bit_length=8 * size
        )
        return self._property(f"text_{size}", coded, DataType.A_UNICODE2STRING, DataType.A_ASCIISTRING)

    def _bytes(self, size: int) -> OdxLinkId:
        return self._property(f"bytes_{size}", _standard(DataType.A_BYTEFIELD, 8 * size), DataType.A_BYTEFIELD)

    def _whole(self, bits: int, *, signed: bool = False) -> OdxLinkId:
        kind = DataType.A_INT32 if signed else DataType.A_UINT32
        return self._property(f"{'signed' if signed else 'unsigned'}_{bits}", _standard(kind, bits), kind)

    def _real(self, unit: str) -> OdxLinkId:
        name = f"real_{short_name(unit.replace('/', '_per_'))}"
        return self._property(name, _standard(DataType.A_FLOAT64, 64), DataType.A_FLOAT64, unit=unit)

    def _choice(self, name: str, labels: Mapping[int, str], bits: int) -> OdxLinkId:
        """A whole number that is told by its label."""
        if name not in self.data:
            scales = [_scale(number, label) for number, label in labels.items()]
            self.data[name] = DataObjectProperty(
                odx_id=self.identity("data", name), short_name=name, diag_coded_type=_standard(DataType.A_UINT32, bits),
                physical_type=PhysicalType(base_data_type=DataType.A_UNICODE2STRING),
                compu_method=TexttableCompuMethod(
                    category=CompuCategory.TEXTTABLE, compu_internal_to_phys=CompuInternalToPhys(compu_scales=scales),
                    internal_type=DataType.A_UINT32, physical_type=DataType.A_UNICODE2STRING,
                ),
            )  # fmt: skip
        return self.data[name].odx_id

    def _property(
        self, name: str, coded: DiagCodedType, physical: DataType, internal: DataType | None = None, *, unit: str = "1"
    ) -> OdxLinkId:
        """A kind of value that is transmitted as it is."""
        if name not in self.data:
            self.data[name] = DataObjectProperty(
                odx_id=self.identity("data", name), short_name=name, diag_coded_type=coded,
                physical_type=PhysicalType(base_data_type=physical),
                compu_method=IdenticalCompuMethod(
                    category=CompuCategory.IDENTICAL, internal_type=internal or physical, physical_type=physical
                ),
                unit_ref=None if unit == "1" else OdxLinkRef.from_id(self._unit(unit)),
            )  # fmt: skip
        return self.data[name].odx_id

    def _unit(self, unit: str) -> OdxLinkId:
        if unit not in self.units:
            name = short_name(unit.replace("/", "_per_").replace("%", "percent"))
            self.units[unit] = Unit(odx_id=self.identity("unit", name), short_name=name, display_name=unit)
        return self.units[unit].odx_id

    def _trouble_codes(self) -> DtcDop:
        codes: list[Any] = [
            DiagnosticTroubleCode(
                odx_id=self.identity("code", code.name), short_name=short_name(code.name), trouble_code=code.number,
                display_trouble_code=code.name, text=Text(text=code.description), level=code.priority,
            )
            for code in self.unit.codes
        ]  # fmt: skip
        return DtcDop(
            odx_id=self.identity("codes"), short_name="codes", diag_coded_type=_standard(DataType.A_UINT32, 24),
            physical_type=PhysicalType(base_data_type=DataType.A_UINT32), dtcs_raw=codes,
            compu_method=IdenticalCompuMethod(
                category=CompuCategory.IDENTICAL, internal_type=DataType.A_UINT32, physical_type=DataType.A_UINT32
            ),
        )  # fmt: skip

    def _code_list(self) -> tuple[Structure, EndOfPduField]:
        """Codes with their status, up to the end of an answer."""
        entry = Structure(
            odx_id=self.identity("code_and_status"), short_name="code_and_status",
            parameters=NamedItemList([self._parameter("code", self.codes.odx_id), self._number("status", 8)]),
        )  # fmt: skip
        listed = EndOfPduField(
            odx_id=self.identity("code_list"), short_name="code_list", structure_ref=OdxLinkRef.from_id(entry.odx_id)
        )
        return entry, listed

    def _refused(self) -> Response:
        """The negative response of every service."""
        codes = self._choice("response_code", {int(code): code.name for code in Code}, 8)
        same = MatchingRequestParameter(short_name="of_service", request_byte_position=0, byte_length=1)
        return Response(
            odx_id=self.identity("refusal"), short_name="NR", response_type=ResponseType.GLOBAL_NEGATIVE,
            parameters=NamedItemList([_constant("service", NEGATIVE), same, self._parameter("response_code", codes)]),
        )  # fmt: skip


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _did(identifier: DataIdentifier) -> list[Parameter]:
    return [_constant("identifier", identifier.number, 16)]


def _constant(name: str, value: int, bits: int = 8) -> Parameter:
    return CodedConstParameter(short_name=name, diag_coded_type=_standard(DataType.A_UINT32, bits), coded_value_raw=str(value))


def _standard(kind: DataType, bits: int) -> StandardLengthType:
    return StandardLengthType(base_data_type=kind, bit_length=bits)


def _scale(number: int, label: str) -> CompuScale:
    limit = Limit(value_raw=str(number), value_type=DataType.A_UINT32)
    return CompuScale(
        compu_const=CompuConst(v=None, vt=label, data_type=DataType.A_UTF8STRING), lower_limit=limit, upper_limit=limit,
        domain_type=DataType.A_UINT32, range_type=DataType.A_UNICODE2STRING,
    )  # fmt: skip


# --- communication parameters, by the names of ISO 22901-1 ----------------------------------------------------------------

STACK = "ISO_15765_3_on_ISO_15765_2"
TRANSPORT, SESSION = "ISO_15765_2", "ISO_15765_3"


def _transport_parameters() -> ComparamSubset:
    """Where a control unit is reached."""
    pair = ComplexComparam(
        odx_id=_in(TRANSPORT, "CP_UniqueRespIdTable"), short_name="CP_UniqueRespIdTable", param_class="UNIQUE_ID",
        cptype=StandardizationLevel.STANDARD, cpusage=Usage.TESTER,
        subparams=NamedItemList([_parameter(TRANSPORT, "CP_CanPhysReqId"), _parameter(TRANSPORT, "CP_CanRespUSDTId")]),
    )  # fmt: skip
    return _subset(TRANSPORT, ["CP_CanFuncReqId"], [pair])


def _session_parameters() -> ComparamSubset:
    """How long a tester waits."""
    return _subset(SESSION, ["CP_P2Max", "CP_P2Star"], [])


def _subset(name: str, simple: list[str], combined: list[ComplexComparam]) -> ComparamSubset:
    number = DataObjectProperty(
        odx_id=_in(name, "number"), short_name="number", diag_coded_type=_standard(DataType.A_UINT32, 32),
        physical_type=PhysicalType(base_data_type=DataType.A_UINT32),
        compu_method=IdenticalCompuMethod(
            category=CompuCategory.IDENTICAL, internal_type=DataType.A_UINT32, physical_type=DataType.A_UINT32
        ),
    )  # fmt: skip
    return ComparamSubset(
        odx_id=_in(name, "subset"), short_name=name, category="TRANSPORT" if name == TRANSPORT else "APPLICATION",
        comparams=NamedItemList([_parameter(name, parameter) for parameter in simple]),
        complex_comparams=NamedItemList(combined), data_object_props=NamedItemList([number]),
    )  # fmt: skip


def _parameter(subset: str, name: str) -> Comparam:
    return Comparam(
        odx_id=_in(subset, name), short_name=name, param_class="TIMING" if subset == SESSION else "UNIQUE_ID",
        cptype=StandardizationLevel.STANDARD, cpusage=Usage.TESTER, physical_default_value_raw="0",
        dop_ref=OdxLinkRef.from_id(_in(subset, "number")),
    )  # fmt: skip


def _in(subset: str, name: str) -> OdxLinkId:
    return OdxLinkId(f"{subset}.{name}", (OdxDocFragment(subset, DocType.COMPARAM_SUBSET),))


def _stack() -> ComparamSpec:
    document = (OdxDocFragment(STACK, DocType.COMPARAM_SPEC),)
    stack = ProtStack(
        odx_id=OdxLinkId(f"{STACK}.stack", document), short_name=STACK, pdu_protocol_type=STACK,
        physical_link_type="ISO_11898_2_DWCAN",
        comparam_subset_refs=[OdxLinkRef.from_id(_in(subset, "subset")) for subset in (TRANSPORT, SESSION)],
    )  # fmt: skip
    return ComparamSpec(odx_id=OdxLinkId(STACK, document), short_name=STACK, prot_stacks=NamedItemList([stack]))


def _values(unit: ControlUnit) -> list[ComparamInstance]:
    """The communication parameters of ``unit``."""
    values: dict[tuple[str, str], Any] = {
        (TRANSPORT, "CP_UniqueRespIdTable"): [str(unit.request), str(unit.response)],
        (TRANSPORT, "CP_CanFuncReqId"): str(unit.functional),
        (SESSION, "CP_P2Max"): str(round(P2_TIME / MICROSECOND)),
        (SESSION, "CP_P2Star"): str(round(P2_STAR_TIME / MICROSECOND)),
    }
    return [
        ComparamInstance(spec_ref=OdxLinkRef.from_id(_in(*name)), value=value, protocol_snref="UDS_on_CAN")
        for name, value in values.items()
    ]
