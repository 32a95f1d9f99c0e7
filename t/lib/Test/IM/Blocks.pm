package Test::IM::Blocks;

# Data-driven tests.  A block is
#
#     === what it shows
#     --- call
#     /im/send/msg
#     --- json
#     {"from_id":"a","to_id":"b","msg":"hi","msg_type":0}
#     --- answer
#     {}
#
# Sections, all but `call` optional:
#
#     before          calls made first, one a line: PATH JSON; each must be 200
#     redis           commands for Redis made first, one a line
#     call            the path; a method may stand before it
#     json, body      the request's body (json: surrounding blanks are cut)
#     request_header  header lines to send
#     status          HTTP status; default 200, or the one that belongs to code
#     answer          the exact body
#     like            patterns the body matches, one a line
#     code            the error code; also asserts the form of the refusal and
#                     that no key of the store has changed
#     error_like      patterns for the error sentence, one a line
#     header          answer headers, NAME: VALUE, or NAME: /PATTERN/, or
#                     NAME: - for one that must be absent
#     unchanged       asserts that no key of the store has changed
#     keep            NAME HEADER: the answer's header is {{NAME}} from here on
#
# In all sections {{NAME}} stands for a kept value, {{a 65}} for 65 times a,
# {{hex ff fe}} for these bytes.

use strict;
use warnings;

use Exporter qw(import);
use Test::More;

our @EXPORT = qw(run_blocks);

our %STATUS = (
    bad_json => 400, bad_request => 400, conv_mismatch => 400,
    forbidden => 403, not_member => 403, not_found => 404,
    conv_not_found => 404, msg_not_found => 404, method_not_allowed => 405,
    conv_exists => 409, not_group => 409, group_full => 409, dismissed => 409,
    is_owner => 409, too_many_groups => 409, group_too_large => 409, recall_expired => 409,
    idempotency_conflict => 409, import_conflict => 409, body_too_large => 413, msg_too_long => 413,
    too_many_requests => 429, internal => 500, store_error => 502,
    store_unavailable => 503, outcome_unknown => 504, store_timeout => 504,
);


# The sections, and what each must hold: the pattern is of one line, or of the
# whole where there is but one value.  A section that is not here, stands twice
# or holds something else would check nothing, so it is fatal.

my $LINE = qr/\S/;

my %SECTION = (
    before         => [ lines => qr{^/\S+ \{.*\}$} ],
    redis          => [ lines => $LINE ],
    call           => [ value => qr{^(?:[A-Z]+ )?/\S*$} ],
    json           => [ value => qr/\S/ ],
    body           => [ value => qr// ],
    request_header => [ lines => qr/^[\w-]+:/ ],
    status         => [ value => qr/^\d{3}$/ ],
    answer         => [ value => qr/\S/ ],
    like           => [ lines => $LINE ],
    code           => [ value => qr/^[a-z_]+$/ ],
    error_like     => [ lines => $LINE ],
    header         => [ lines => qr/^[\w-]+:\s*\S/ ],
    unchanged      => [ value => qr/^$/ ],
    keep           => [ lines => qr/^\w+ [\w-]+$/ ],
);


# dies of what it does not understand
sub parse {
    my $text = shift;
    my ($before, @parts) = split /^===[ ]+/m, "\n$text";
    my @blocks;

    die "before the first block: $before\n" if $before =~ /\S/;
    die "no blocks\n" if !@parts;

    for my $part (@parts) {
        my ($name, $rest) = $part =~ /^(\S[^\n]*)\n(.*)$/s
            or die "a block without a name or sections: $part\n";
        my %b = (name => $name);
        my ($head, @sections) = split /^---/m, $rest, -1;

        die "$name: before its sections: $head\n" if $head =~ /\S/;
        for (@sections) {
            my ($section, $inline, $lines)
                = /^[ ](\w+)(?:[ \t]+(\S[^\n]*))?[ \t]*(?:\n(.*))?$/s
                or die "$name: not a section: ---$_\n";
            die "$name: inline and more lines: --- $section\n"
                if defined $inline && ($lines // '') =~ /\S/;
            my $value = $inline // $lines // '';
            $value =~ s/\n+\z//;

            die "$name: no section is \"$section\"\n" if !$SECTION{$section};
            die "$name: \"$section\" twice\n" if exists $b{$section};
            check($name, $section, $value);
            $b{$section} = $value;
        }
        die "$name: no call\n" if !exists $b{call};
        die "$name: no code is $b{code}\n"
            if exists $b{code} && !$STATUS{ $b{code} };
        die "$name: error_like without code\n"
            if exists $b{error_like} && !exists $b{code};
        push @blocks, \%b;
    }
    return @blocks;
}


sub check {
    my ($name, $section, $value) = @_;
    my ($form, $pattern) = @{ $SECTION{$section} };
    my @parts = $form eq 'lines' ? split /\n/, $value, -1 : $value;
    die "$name: \"$section\" is empty\n" if !@parts;
    $_ =~ $pattern or die "$name: not a line of \"$section\": \"$_\"\n"
        for @parts;
}


# run_blocks($t): the blocks of the test's __DATA__, or of a text
sub run_blocks {
    my ($t, $text, $vars) = @_;
    my %kept = %{ $vars || {} };
    if (!defined $text) {
        no strict 'refs';
        my $data = *{ caller() . '::DATA' };
        binmode $data;
        local $/;
        $text = <$data>;
    }
    for my $b (parse($text)) {
        subtest $b->{name} => sub { run_block($t, $b, \%kept) };
    }
    return \%kept;
}


sub fill {
    my ($v, $kept) = @_;
    $v =~ s/\{\{hex ([0-9a-f ]+)\}\}/join '', map { chr hex } split ' ', $1/ge;
    $v =~ s/\{\{([^\s{}]+) (\d+)\}\}/$1 x $2/ge;
    $v =~ s/\{\{(\w+)\}\}/$kept->{$1} \/\/ die "nothing kept as $1\n"/ge;
    die "not filled in: $v\n" if $v =~ /\{\{\w/;
    return $v;
}


sub run_block {
    my ($t, $b, $kept) = @_;
    my %s = map { $_ => fill($b->{$_}, $kept) } keys %$b;
    my @lines = (map { [ $_, split /\n/, $s{$_} // '' ] }
                 qw(before redis like error_like header keep));
    my %lines = map { shift @$_ => $_ } @lines;

    for (@{ $lines{before} }) {
        my ($path, $json) = split ' ', $_, 2;
        my $r = $t->post($path, $json);
        is($r->status, 200, "before: $path") or diag($r->body);
    }
    $t->redis(split ' ', $_) for @{ $lines{redis} };

    my ($method, $path) = $s{call} =~ /^(?:([A-Z]+) )?(\S.*)$/;
    my $body = $s{json} // $s{body} // '';
    $body =~ s/^\s+|\s+$//g if exists $s{json};
    my $same = exists $s{unchanged} || exists $s{code};
    my $before = $same && $t->snapshot;

    my $r = $t->post($path, $body, method => $method,
                     headers => [ split /\n/, $s{request_header} // '' ]);
    return fail('answered') if !$r;

    my $status = $s{status} // ($s{code} ? $STATUS{$s{code}} : 200);
    is($r->status, $status, "status $status") or diag($r->body);
    is($r->body, $s{answer}, 'answer') if exists $s{answer};
    like($r->body, qr/$_/, "answer has $_") for @{ $lines{like} };

    if (exists $s{code}) {
        is($r->code, $s{code}, "code $s{code}") or diag($r->body);
        refusal_ok($r);
    } elsif ($status == 200) {
        is($r->header('Content-Type') =~ s/;.*//r, 'application/json', 'JSON');
    }
    like($r->error, qr/$_/, "error names $_") for @{ $lines{error_like} };

    for (@{ $lines{header} }) {
        my ($name, $want) = split /:\s*/, $_, 2;
        if ($want eq '-') {
            is($r->header($name), undef, "no $name");
        } elsif ($want =~ m{^/(.*)/$}) {
            like($r->header($name) // '', qr/$1/, "$name is like $want");
        } else {
            is($r->header($name), $want, "$name: $want");
        }
    }
    is_deeply($t->snapshot, $before, 'no key has changed') if $same;

    for (@{ $lines{keep} }) {
        my ($name, $header) = split;
        $kept->{$name} = $r->header($header);
        ok(length $kept->{$name}, "keep $header") or diag($r->body);
    }
}


# the form every refusal has
sub refusal_ok {
    my $r = shift;
    is(($r->header('Content-Type') // '') =~ s/;.*//r, 'application/json',
       'refusal is JSON');
    like($r->body, qr/^\{"code":"[a-z_]+","error":"(?:[^"\\]|\\.)+"\}$/,
         'refusal has code and error');
}


1;
